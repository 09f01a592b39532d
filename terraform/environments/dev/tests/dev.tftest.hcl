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

run "is_small_and_stops_at_night" {
  command = plan

  assert {
    condition     = local.settings.nightly_stop != null && !local.settings.database.multi_az
    error_message = "dev must stop at night and run in one Availability Zone."
  }
}

run "can_be_destroyed_completely" {
  command = plan

  assert {
    condition     = !local.settings.protected && !local.settings.database.final_snapshot
    error_message = "Destroying dev must leave nothing behind."
  }
}

run "is_named_dev" {
  command = plan

  assert {
    condition     = output.bucket == "wandle-dev-lake-123456789012" && output.job_role == "arn:aws:iam::123456789012:role/wandle-dev-{job}"
    error_message = "Resource names must contain the environment."
  }
}

run "accepts_sizes_and_protection_as_variables" {
  command = plan

  variables {
    vpc_cidr                = "10.40.0.0/16"
    host_instance_type      = "m7g.xlarge"
    database_instance_class = "db.m7g.large"
    protected               = true
  }

  assert {
    condition     = local.settings.network.cidr == "10.40.0.0/16" && local.settings.host.instance_type == "m7g.xlarge" && local.settings.database.instance_class == "db.m7g.large" && local.settings.protected
    error_message = "Variables must override settings.tf."
  }
}

run "refuses_an_unknown_region" {
  command = plan

  variables {
    region = "London"
  }

  expect_failures = [var.region]
}

run "refuses_an_owner_that_is_not_a_valid_tag" {
  command = plan

  variables {
    owner = "data & insight"
  }

  expect_failures = [var.owner]
}
