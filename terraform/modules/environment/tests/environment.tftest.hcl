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

  mock_resource "aws_cloudfront_distribution" {
    defaults = {
      arn         = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE"
      id          = "E1EXAMPLE"
      domain_name = "d111111abcdef8.cloudfront.net"
    }
  }
}

variables {
  environment          = "dev"
  region               = "eu-west-2"
  alert_email          = "data@example.gov.uk"
  image_digest         = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  network              = { cidr = "10.20.0.0/16", nat_gateways = 1, endpoint_zones = 1 }
  host                 = { instance_type = "t4g.xlarge", disk_gb = 50 }
  retention_days       = { logs = 30, task_logs = 30, access_logs = 30 }
  landing_archive_days = 30
  monthly_budget_usd   = 250

  database = {
    instance_class   = "db.t4g.medium"
    storage_gb       = 20
    storage_limit_gb = 100
    backup_days      = 3
    multi_az         = false
    final_snapshot   = false
  }
}

run "names_everything_after_the_environment" {
  command = plan

  assert {
    condition     = output.bucket == "wandle-dev-lake-123456789012" && output.job_role == "arn:aws:iam::123456789012:role/wandle-dev-{job}"
    error_message = "Resource names must contain the environment."
  }
}

run "is_protected_by_default" {
  command = plan

  assert {
    condition     = terraform_data.protection.input
    error_message = "An environment must be protected unless the root says otherwise."
  }
}

run "has_no_lambda_by_default" {
  command = plan

  assert {
    condition     = length(module.serverless_extract) == 0
    error_message = "Sources are extracted on the host by default."
  }
}

run "extracts_a_source_with_lambda_on_request" {
  command = plan

  variables {
    serverless_sources   = ["bank_holidays"]
    extract_image_digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = keys(module.serverless_extract) == ["bank_holidays"]
    error_message = "Each source in serverless_sources must have a Lambda function."
  }
}

run "requires_tls_for_cookies_behind_the_load_balancer" {
  command = plan

  variables {
    public = { hostname = "wandle.example.gov.uk", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/1", allowed_cidrs = ["192.0.2.0/24"] }
  }

  assert {
    condition     = local.settings["AIRFLOW__FAB__COOKIE_SECURE"] == "True" && local.settings["AIRFLOW__API__BASE_URL"] == "https://wandle.example.gov.uk"
    error_message = "Behind the load balancer, Airflow must be reached through HTTPS."
  }
}

run "uses_the_default_scopes_and_claim_when_the_root_passes_null" {
  command = plan

  variables {
    login = { issuer = "https://login.example.gov.uk", client_id = "wandle", scopes = null, groups_claim = null, viewers = null, operators = null, admins = "it" }
  }

  assert {
    condition     = local.login_settings["WANDLE_OIDC_SCOPES"] == "openid email profile" && local.login_settings["WANDLE_OIDC_GROUPS_CLAIM"] == "groups"
    error_message = "Null must mean the default."
  }
}

run "refuses_an_image_tag" {
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

run "refuses_a_login_without_administrators" {
  command = plan

  variables {
    login = { issuer = "https://login.example.gov.uk", client_id = "wandle", admins = "" }
  }

  expect_failures = [var.login]
}

run "publishes_nothing_on_the_internet_by_default" {
  command = plan

  assert {
    condition     = length(module.website) == 0 && output.website == null && local.settings["WANDLE_DISTRIBUTION"] == ""
    error_message = "Only a person may decide that the dashboard is public."
  }
}

run "publishes_on_the_council_s_domain_on_request" {
  command = plan

  variables {
    website = { domain = { hostname = "data.example.gov.uk", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1" } }
  }

  assert {
    condition     = output.website == "https://data.example.gov.uk"
    error_message = "The output must be the dashboard's address."
  }
}

run "publishes_under_a_name_of_cloudfront_without_a_domain" {
  command = plan

  variables {
    website = {}
  }

  assert {
    condition     = length(module.website) == 1
    error_message = "One variable must be enough."
  }
}

run "asks_nobody_before_a_publication_by_default" {
  command = plan

  assert {
    condition     = local.settings["WANDLE_PUBLISH_APPROVAL_HOURS"] == ""
    error_message = "Publications must go out unless somebody wants to be asked."
  }
}

run "asks_before_a_publication_on_request" {
  command = plan

  variables {
    publish_approval_hours = 24
  }

  assert {
    condition     = local.settings["WANDLE_PUBLISH_APPROVAL_HOURS"] == "24"
    error_message = "The hosts must know how long a person has to answer."
  }
}

run "refuses_hours_that_wandle_refuses" {
  command = plan

  variables {
    publish_approval_hours = 721
  }

  expect_failures = [var.publish_approval_hours]
}

run "serves_no_read_api_by_default" {
  command = plan

  assert {
    condition     = local.settings["WANDLE_API_URL"] == "" && !contains(keys(module.identity.job_role_arns), "serve")
    error_message = "Only a person may decide that there is a read API."
  }
}

run "serves_the_read_api_on_request" {
  command = plan

  variables {
    public           = { hostname = "wandle.example.gov.uk", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/1", allowed_cidrs = ["192.0.2.0/24"] }
    api              = { hostname = "api.example.gov.uk", certificate_arn = null, workers = null, per_second = null, with_keys = null }
    api_image_digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = local.settings["WANDLE_API_URL"] == "https://api.example.gov.uk" && contains(keys(module.identity.job_role_arns), "serve")
    error_message = "The API must have its address in the settings, and a role of its own."
  }

  assert {
    condition     = var.api.workers == 1 && var.api.per_second == 50 && !var.api.with_keys
    error_message = "Null must mean the default."
  }
}

# A deployment passes the digest of every image that it has pushed.
run "ignores_the_image_of_a_read_api_that_does_not_run" {
  command = plan

  variables {
    api_image_digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = local.settings["WANDLE_API_URL"] == "" && !contains(keys(module.identity.job_role_arns), "serve")
    error_message = "An image alone must not switch the API on."
  }
}

run "refuses_the_read_api_without_an_image" {
  command = plan

  variables {
    public = { hostname = "wandle.example.gov.uk", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/1", allowed_cidrs = ["192.0.2.0/24"] }
    api    = { hostname = "api.example.gov.uk" }
  }

  expect_failures = [var.api_image_digest]
}

run "refuses_the_read_api_without_the_load_balancer" {
  command = plan

  variables {
    api              = { hostname = "api.example.gov.uk" }
    api_image_digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  expect_failures = [var.api]
}
