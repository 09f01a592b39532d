mock_provider "aws" {}

variables {
  context = {
    environment = "dev"
    account_id  = "123456789012"
    region      = "eu-west-2"
    partition   = "aws"
  }

}

run "rotates_the_key_every_year" {
  command = plan

  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "The key must be rotated."
  }

  assert {
    condition     = aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The deletion of a protected key must be reversible for the longest time AWS allows."
  }
}

run "lets_services_use_the_key_for_this_environment_only" {
  command = plan

  assert {
    condition = alltrue([
      for statement in local.policy.Statement : can(statement.Condition)
      if statement.Sid != "AccountDecides"
    ])
    error_message = "Every statement except the account's own must have a condition."
  }

  assert {
    condition     = !strcontains(aws_kms_key.this.policy, "\"AWS\":\"*\"")
    error_message = "The key must not be usable from outside the account."
  }
}

run "refuses_an_invalid_environment" {
  command = plan

  variables {
    context = { environment = "Dev_1", account_id = "123456789012", region = "eu-west-2", partition = "aws" }
  }

  expect_failures = [var.context]
}

run "refuses_an_invalid_account_id" {
  command = plan

  variables {
    context = { environment = "dev", account_id = "1234", region = "eu-west-2", partition = "aws" }
  }

  expect_failures = [var.context]
}

run "refuses_an_invalid_region" {
  command = plan

  variables {
    context = { environment = "dev", account_id = "123456789012", region = "London", partition = "aws" }
  }

  expect_failures = [var.context]
}

run "refuses_an_invalid_partition" {
  command = plan

  variables {
    context = { environment = "dev", account_id = "123456789012", region = "eu-west-2", partition = "azure" }
  }

  expect_failures = [var.context]
}

run "lets_one_distribution_decrypt_and_nothing_more" {
  command = plan

  variables {
    website_arn = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_kms_key.this.policy).Statement :
      [statement.Action, statement.Condition] if statement.Principal == { Service = "cloudfront.amazonaws.com" }
      ] == [[
        ["kms:Decrypt"], { StringEquals = { "aws:SourceArn" = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE" } },
    ]]
    error_message = "CloudFront must be able to read what the key encrypts, for this distribution alone."
  }
}

run "does_not_know_cloudfront_by_default" {
  command = plan

  assert {
    condition     = !strcontains(aws_kms_key.this.policy, "cloudfront")
    error_message = "Without the website, CloudFront must not be able to use the key."
  }
}
