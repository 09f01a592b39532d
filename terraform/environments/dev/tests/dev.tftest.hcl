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

run "has_the_numbers_of_dev" {
  command = plan

  assert {
    condition     = !local.numbers.protected && !local.numbers.database_final_snapshot && local.numbers.nightly_stop != null
    error_message = "dev sleeps at night and can be destroyed without a trace."
  }

  assert {
    condition     = output.bucket == "wandle-dev-lake-123456789012" && output.job_role == "arn:aws:iam::123456789012:role/wandle-dev-{job}"
    error_message = "Names carry the environment."
  }
}

run "extracts_a_light_source_by_lambda_if_asked" {
  command = plan

  variables {
    serverless_sources   = ["bank_holidays"]
    extract_image_digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = keys(module.serverless_extract) == ["bank_holidays"]
    error_message = "Each source that is named gets a Lambda."
  }
}

run "refuses_to_have_nobody_to_tell" {
  command = plan

  variables {
    alert_email = "nobody"
  }

  expect_failures = [var.alert_email]
}

run "refuses_an_image_by_tag" {
  command = plan

  variables {
    image_digest = "latest"
  }

  expect_failures = [var.image_digest]
}

run "refuses_a_source_without_a_contract" {
  command = plan

  variables {
    serverless_sources   = ["no_such_source"]
    extract_image_digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  expect_failures = [var.serverless_sources]
}

run "refuses_a_lambda_without_an_image" {
  command = plan

  variables {
    serverless_sources = ["bank_holidays"]
  }

  expect_failures = [var.extract_image_digest]
}

run "refuses_a_login_without_tls" {
  command = plan

  variables {
    login = { issuer = "http://login.example.gov.uk", client_id = "wandle", admins = "it" }
  }

  expect_failures = [var.login]
}
