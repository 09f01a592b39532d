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

variables {
  alert_email  = "data@example.gov.uk"
  image_digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
}

run "has_the_numbers_of_prod" {
  command = plan

  assert {
    condition     = local.numbers.protected && local.numbers.database_final_snapshot && local.numbers.nightly_stop == null
    error_message = "prod never sleeps, and is not destroyed by mistake or without a snapshot."
  }

  assert {
    condition     = local.numbers.database_multi_az && local.numbers.nat_gateways == 2 && local.numbers.endpoint_zones == 2
    error_message = "prod outlives a zone."
  }

  assert {
    condition     = terraform_data.protection.input
    error_message = "prod refuses to be destroyed."
  }

  assert {
    condition     = output.bucket == "wandle-prod-lake-123456789012" && output.job_role == "arn:aws:iam::123456789012:role/wandle-prod-{job}"
    error_message = "Names carry the environment."
  }
}
