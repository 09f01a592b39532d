mock_provider "aws" {}

variables {
  environment = "dev"
  account_id  = "123456789012"
  region      = "eu-west-2"
}

run "turns_the_key_every_year" {
  command = plan

  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "The key must be rotated."
  }

  assert {
    condition     = aws_kms_key.this.deletion_window_in_days == 30
    error_message = "A protected key must be recoverable for as long as AWS allows."
  }
}

run "lets_services_use_it_for_this_environment_alone" {
  command = plan

  assert {
    condition = alltrue([
      for statement in local.policy.Statement : can(statement.Condition)
      if statement.Sid != "AccountDecides"
    ])
    error_message = "Only the account's own statement may be without a condition."
  }

  assert {
    condition     = !strcontains(aws_kms_key.this.policy, "\"AWS\":\"*\"")
    error_message = "Nobody outside the account may use the key."
  }
}

run "refuses_an_environment_that_is_no_name" {
  command = plan

  variables {
    environment = "Dev_1"
  }

  expect_failures = [var.environment]
}
