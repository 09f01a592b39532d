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

run "gives_each_source_a_role_that_writes_only_its_own_landings" {
  command = plan

  assert {
    condition     = length(local.contracts) >= 8 && alltrue([for source in keys(local.contracts) : contains(keys(aws_iam_role.job), "extract-${source}")])
    error_message = "Every contract must have a role."
  }

  assert {
    condition = alltrue([
      for source in keys(local.contracts) : flatten([
        for statement in jsondecode(aws_iam_role_policy.job["extract-${source}"].policy).Statement : statement.Resource
        if contains(statement.Action, "s3:PutObject")
      ]) == ["${var.bucket_arn}/landing/${source}/*"]
    ])
    error_message = "A source's role must be able to write only its own prefix."
  }
}

run "lets_a_source_read_its_parents_landings" {
  command = plan

  assert {
    condition     = join(",", local.parents["flood_readings"]) == "flood_stations"
    error_message = "flood_readings must be able to read the landings of flood_stations."
  }
}

run "lets_a_source_read_its_own_secret_alone" {
  command = plan

  variables {
    contracts_folder = "tests/secrets"
  }

  assert {
    condition = {
      for source in ["one", "two", "none"] : source => flatten([
        for statement in jsondecode(aws_iam_role_policy.job["extract-${source}"].policy).Statement : statement.Resource
        if contains(statement.Action, "secretsmanager:GetSecretValue")
      ])
      } == {
      one  = ["arn:aws:secretsmanager:eu-west-2:123456789012:secret:wandle/dev/sources/key_of_one-??????"]
      two  = ["arn:aws:secretsmanager:eu-west-2:123456789012:secret:wandle/dev/sources/key_of_two-??????"]
      none = []
    }
    error_message = "A source's role must be able to read the secret that its contract names, and no other."
  }

  assert {
    condition     = output.source_secrets == toset(["key_of_one", "key_of_two"])
    error_message = "Every secret that a contract names must be created."
  }
}

run "lets_alerts_go_only_where_contracts_say" {
  command = plan

  variables {
    contracts_folder = "tests/alerts"
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.job["alert"].policy).Statement : statement.Sid => flatten([statement.Resource])
      if !strcontains(statement.Sid, "Decrypt") && !strcontains(statement.Sid, "Key")
      } == {
      ReadSecretsOfAlerts = ["arn:aws:secretsmanager:eu-west-2:123456789012:secret:wandle/dev/sources/chat_of_one-??????"]
      PublishAlerts       = ["arn:aws:sns:eu-west-2:123456789012:wandle-dev-alerts"]
    }
    error_message = "The role of alerts must be able to read the secrets and publish to the topics that contracts name, and no others."
  }

  assert {
    condition     = contains(output.source_secrets, "chat_of_one")
    error_message = "The secret with the URL of a channel must be created."
  }
}

run "has_no_role_for_alerts_where_no_contract_has_any" {
  command = plan

  variables {
    contracts_folder = "tests/secrets"
  }

  assert {
    condition     = !contains(keys(aws_iam_role.job), "alert")
    error_message = "Without alerts, nothing may send any."
  }
}

run "refuses_a_topic_outside_of_the_boundary" {
  command = plan

  variables {
    contracts_folder = "tests/wrong_topic"
  }

  expect_failures = [var.contracts_folder]
}

run "lets_a_source_read_the_landings_that_have_its_pages" {
  command = plan

  variables {
    contracts_folder = "tests/followers"
  }

  assert {
    condition = {
      for source in ["plans", "documents", "texts"] : source => local.zones_read["extract-${source}"]
      } == {
      plans     = ["landing/plans/"]
      documents = ["landing/documents/", "landing/plans/"]
      texts     = ["landing/texts/", "landing/documents/", "landing/plans/"]
    }
    error_message = "A source's role must be able to read the landings whose pages it reads, also of a parent's, and no others."
  }
}

run "refuses_a_secret_that_is_no_name" {
  command = plan

  variables {
    contracts_folder = "tests/wrong_secret"
  }

  expect_failures = [var.contracts_folder]
}

run "gives_the_host_no_access_to_data" {
  command = plan

  assert {
    condition     = length([for statement in jsondecode(aws_iam_role_policy.host.policy).Statement : statement if length([for action in statement.Action : action if startswith(action, "s3:") || startswith(action, "secretsmanager:") || startswith(action, "kms:")]) > 0]) == 0
    error_message = "The host's own role must not have access to the bucket, the secrets or the key."
  }
}

run "grants_no_wildcards" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for policy in values(aws_iam_role_policy.job)[*].policy : [
        for statement in jsondecode(policy).Statement : [for action in statement.Action : !strcontains(action, "*")]
      ]
    ]))
    error_message = "A job role must not have wildcard actions."
  }

  assert {
    condition = alltrue(flatten([
      for policy in values(aws_iam_role_policy.job)[*].policy : [
        for statement in jsondecode(policy).Statement : can(statement.Condition) if statement.Resource == "*"
      ]
    ]))
    error_message = "A statement of a job role with the resource * must have a condition."
  }
}

run "attaches_the_boundary_to_every_role" {
  command = plan

  assert {
    condition     = alltrue([for role in concat(values(aws_iam_role.job), [aws_iam_role.host]) : role.permissions_boundary == var.boundary_arn])
    error_message = "Every role must have the permissions boundary."
  }
}

run "refuses_a_contract_with_another_sources_name" {
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

run "lets_housekeeping_delete_the_copies_of_one_distribution" {
  command = plan

  variables {
    has_website = true
    website_arn = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE"
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.website[0].policy).Statement == [{
      Sid      = "DeleteCopiesOfPublished"
      Effect   = "Allow"
      Action   = ["cloudfront:CreateInvalidation"]
      Resource = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE"
    }]
    error_message = "The role must be able to invalidate the website's distribution and do nothing else to it."
  }

  assert {
    condition     = aws_iam_role_policy.website[0].role == aws_iam_role.job["housekeeping"].name
    error_message = "Only housekeeping deletes published versions."
  }
}

run "lets_no_role_do_anything_with_cloudfront_by_default" {
  command = plan

  assert {
    condition     = length(aws_iam_role_policy.website) == 0
    error_message = "Without the website there is nothing to invalidate."
  }
}

run "has_no_role_for_the_read_api_by_default" {
  command = plan

  assert {
    condition     = !contains(keys(aws_iam_role.job), "serve") && !strcontains(aws_iam_role_policy.host.policy, "repository/wandle-api")
    error_message = "Without the read API nobody may read its secret, and the host needs no image of it."
  }
}

run "lets_the_read_api_read_what_is_published_and_its_own_keys_alone" {
  command = plan

  variables {
    api_repository_arn = "arn:aws:ecr:eu-west-2:123456789012:repository/wandle-api"
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_role_policy.job["serve"].policy).Statement : statement.Resource if statement.Sid != "ListZones"
      ])) == toset([
      "${var.bucket_arn}/published/*", var.key_arn,
      "arn:aws:secretsmanager:eu-west-2:123456789012:secret:wandle/dev/api_keys-??????",
    ])
    error_message = "The API must read nothing but published/ and the secret api_keys."
  }

  assert {
    condition     = strcontains(aws_iam_role_policy.host.policy, "repository/wandle-api") && strcontains(aws_iam_role_policy.host.policy, "role/wandle-dev-serve")
    error_message = "The host must pull the image of the API, and become its role."
  }
}
