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

run "creates_every_secret_encrypted_with_the_environments_key" {
  command = plan

  assert {
    condition     = length(aws_secretsmanager_secret.this) == 14
    error_message = "There must be 14 secrets, as listed in docs/deploy.md."
  }

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : startswith(secret.name, "wandle/dev/") && secret.kms_key_id == var.key_arn])
    error_message = "Every secret must be named after its environment and encrypted with its key."
  }

  assert {
    condition = alltrue([
      for name in ["wandle_loader", "wandle_transformer", "wandle_publisher", "wandle_s3"] : contains(keys(aws_secretsmanager_secret.this), "connections/${name}")
    ])
    error_message = "The connections that the DAGs use must exist."
  }
}

run "creates_the_secrets_of_sources_apart_from_the_connections_of_the_platform" {
  command = plan

  variables {
    source_secrets = ["breathe_london"]
  }

  assert {
    condition     = length(aws_secretsmanager_secret.this) == 15 && aws_secretsmanager_secret.this["sources/breathe_london"].name == "wandle/dev/sources/breathe_london"
    error_message = "A source's secret must be outside of the prefix that the platform's role `secrets` can read."
  }
}

run "creates_the_secret_of_the_read_api_only_with_it" {
  command = plan

  variables {
    has_api = true
  }

  assert {
    condition     = length(aws_secretsmanager_secret.this) == 15 && aws_secretsmanager_secret.this["api_keys"].name == "wandle/dev/api_keys"
    error_message = "The hashes of API keys must be apart from the secrets that other roles read."
  }
}

run "can_restore_a_deleted_secret" {
  command = plan

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 30])
    error_message = "By default a deleted secret must be recoverable for 30 days."
  }
}

run "deletes_secrets_at_once_when_unprotected" {
  command = plan

  variables {
    protected = false
  }

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 0])
    error_message = "It must be possible to recreate a deleted environment with the same secret names."
  }
}
