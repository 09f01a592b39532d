mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-west-2a", "eu-west-2b", "eu-west-2c"] }
  }
}

mock_provider "aws" {
  alias = "us_east_1"
}

variables {
  alert_email  = "data@example.gov.uk"
  image_digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
}

run "runs_all_the_time_and_survives_the_loss_of_a_zone" {
  command = plan

  assert {
    condition     = local.settings.nightly_stop == null
    error_message = "prod must not stop at night."
  }

  assert {
    condition     = local.settings.database.multi_az && local.settings.network.nat_gateways == 2 && local.settings.network.endpoint_zones == 2
    error_message = "prod must use two Availability Zones."
  }
}

run "is_protected_and_leaves_a_final_snapshot" {
  command = plan

  assert {
    condition     = local.settings.protected && local.settings.database.final_snapshot && local.settings.database.backup_days == 35
    error_message = "prod must be protected, keep five weeks of backups and leave a final snapshot."
  }
}

run "can_be_unprotected_by_a_variable" {
  command = plan

  variables {
    protected = false
  }

  assert {
    condition     = !local.settings.protected
    error_message = "The variable `protected` must override settings.tf, including with false."
  }
}

run "is_named_prod" {
  command = plan

  assert {
    condition     = output.bucket == "wandle-prod-lake-123456789012" && output.job_role == "arn:aws:iam::123456789012:role/wandle-prod-{job}"
    error_message = "Resource names must contain the environment."
  }
}
