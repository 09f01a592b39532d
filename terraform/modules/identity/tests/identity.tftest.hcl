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
  contracts_folder = "../../../include/sources"
  bucket_arn       = "arn:aws:s3:::wandle-dev-lake-123456789012"
  repository_arn   = "arn:aws:ecr:eu-west-2:123456789012:repository/wandle"
  admin_secret_arn = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:rds!db-1-abcdef"
}

run "gives_each_source_a_role_that_writes_its_own_landings" {
  command = plan

  assert {
    condition     = length(local.contracts) >= 8 && alltrue([for source in keys(local.contracts) : contains(keys(aws_iam_role.job), "extract-${source}")])
    error_message = "Each contract must have a role."
  }

  assert {
    condition = alltrue([
      for source in keys(local.contracts) : flatten([
        for statement in jsondecode(aws_iam_role_policy.job["extract-${source}"].policy).Statement : statement.Resource
        if contains(statement.Action, "s3:PutObject")
      ]) == ["${var.bucket_arn}/landing/${source}/*"]
    ])
    error_message = "A source's role may write its own prefix and nothing else."
  }
}

run "lets_a_source_read_what_its_requests_are_made_of" {
  command = plan

  assert {
    condition     = join(",", local.parents["flood_readings"]) == "flood_stations"
    error_message = "flood_readings asks by what flood_stations landed."
  }
}

run "lets_the_host_become_jobs_and_touch_no_data" {
  command = plan

  assert {
    condition     = length([for statement in jsondecode(aws_iam_role_policy.host.policy).Statement : statement if length([for action in statement.Action : action if startswith(action, "s3:") || startswith(action, "secretsmanager:") || startswith(action, "kms:")]) > 0]) == 0
    error_message = "The host itself may read neither bucket nor secrets."
  }
}

run "grants_no_star" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for policy in values(aws_iam_role_policy.job)[*].policy : [
        for statement in jsondecode(policy).Statement : [for action in statement.Action : !strcontains(action, "*")]
      ]
    ]))
    error_message = "No job may do everything of a service."
  }

  assert {
    condition = alltrue(flatten([
      for policy in values(aws_iam_role_policy.job)[*].policy : [
        for statement in jsondecode(policy).Statement : can(statement.Condition) if statement.Resource == "*"
      ]
    ]))
    error_message = "Where a job's resource is *, a condition must narrow it."
  }
}

run "puts_every_role_under_the_boundary" {
  command = plan

  assert {
    condition     = alltrue([for role in concat(values(aws_iam_role.job), [aws_iam_role.host]) : role.permissions_boundary == var.boundary_arn])
    error_message = "Every role is under the boundary."
  }
}

run "refuses_a_contract_that_says_another_sources_name" {
  command = plan

  variables {
    contracts_folder = "tests/wrong_name"
  }

  expect_failures = [var.contracts_folder]
}

run "refuses_a_contract_whose_parent_is_missing" {
  command = plan

  variables {
    contracts_folder = "tests/missing_parent"
  }

  expect_failures = [var.contracts_folder]
}

run "refuses_a_folder_without_contracts" {
  command = plan

  variables {
    contracts_folder = "tests/no_contracts"
  }

  expect_failures = [var.contracts_folder]
}
