mock_provider "aws" {}

variables {
  context = {
    environment = "dev"
    account_id  = "123456789012"
    region      = "eu-west-2"
    partition   = "aws"
  }

  key_arn = "arn:aws:kms:eu-west-2:123456789012:key/1"
}

run "makes_each_secret_under_the_key_of_the_environment" {
  command = plan

  assert {
    condition     = length(aws_secretsmanager_secret.this) == 13
    error_message = "Thirteen secrets: docs/deploy.md lists them."
  }

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : startswith(secret.name, "wandle/dev/") && secret.kms_key_id == var.key_arn])
    error_message = "Each secret is named after its environment and encrypted with its key."
  }

  assert {
    condition = alltrue([
      for name in ["wandle_loader", "wandle_transformer", "wandle_s3"] : contains(keys(aws_secretsmanager_secret.this), "connections/${name}")
    ])
    error_message = "The connections that the DAGs ask for must be there."
  }
}

run "can_bring_a_deleted_secret_back" {
  command = plan

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 30])
    error_message = "Protected by default: a month to bring a secret back."
  }
}

run "leaves_no_secret_behind_once_unprotected" {
  command = plan

  variables {
    protected = false
  }

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 0])
    error_message = "An environment that is torn down must be able to come back under the same names."
  }
}
