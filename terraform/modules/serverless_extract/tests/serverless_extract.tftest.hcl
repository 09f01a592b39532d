mock_provider "aws" {}

variables {
  context = {
    environment = "dev"
    account_id  = "123456789012"
    region      = "eu-west-2"
    partition   = "aws"
  }

  boundary_arn     = "arn:aws:iam::123456789012:policy/wandle-boundary"
  key_arn          = "arn:aws:kms:eu-west-2:123456789012:key/1"
  source_name      = "bank_holidays"
  cron             = "30 3 1 * *"
  image            = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/wandle-extract@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  settings         = { WANDLE_BUCKET = "wandle-dev-lake-123456789012" }
  alerts_topic_arn = "arn:aws:sns:eu-west-2:123456789012:wandle-dev-alerts"
  statements = [{
    Sid      = "WriteOwnLandings"
    Effect   = "Allow"
    Action   = ["s3:PutObject"]
    Resource = ["arn:aws:s3:::wandle-dev-lake-123456789012/landing/bank_holidays/*"]
  }]
}

run "runs_on_the_schedule_of_the_contract" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.this.schedule_expression == "cron(30 3 1 * ? *)" && aws_scheduler_schedule.this.schedule_expression_timezone == "UTC"
    error_message = "The EventBridge expression must match the contract's schedule."
  }

  assert {
    condition     = strcontains(aws_scheduler_schedule.this.target[0].input, "bank_holidays")
    error_message = "The event must contain the source."
  }
}

run "runs_one_extraction_at_a_time_from_a_pinned_image" {
  command = plan

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 1
    error_message = "Concurrent extractions could exceed the API's rate limit."
  }

  assert {
    condition     = aws_lambda_function.this.image_uri == var.image && aws_lambda_function.this.package_type == "Image"
    error_message = "The image must be pinned by digest."
  }
}

run "can_write_only_its_own_landings" {
  command = plan

  assert {
    condition = flatten([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Resource
      if contains(statement.Action, "s3:PutObject")
    ]) == ["arn:aws:s3:::wandle-dev-lake-123456789012/landing/bank_holidays/*"]
    error_message = "The function's role must be able to write only its source's prefix."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == var.boundary_arn && aws_iam_role.schedule.permissions_boundary == var.boundary_arn
    error_message = "Every role must have the permissions boundary."
  }
}

run "notifies_people_after_the_last_retry" {
  command = plan

  assert {
    condition     = aws_lambda_function.this.dead_letter_config[0].target_arn == var.alerts_topic_arn
    error_message = "An extraction that failed after all retries must be sent to the alerts topic."
  }
}

run "refuses_a_day_of_week" {
  command = plan

  variables {
    cron = "30 3 * * 1"
  }

  expect_failures = [var.cron]
}

run "refuses_an_image_tag" {
  command = plan

  variables {
    image = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/wandle-extract:latest"
  }

  expect_failures = [var.image]
}
