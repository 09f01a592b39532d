mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_resource "aws_kms_key" {
    override_during = plan
    defaults        = { arn = "arn:aws:kms:eu-west-2:123456789012:key/1" }
  }

  mock_resource "aws_iam_policy" {
    override_during = plan
    defaults        = { arn = "arn:aws:iam::123456789012:policy/wandle-boundary" }
  }

  mock_resource "aws_iam_openid_connect_provider" {
    override_during = plan
    defaults        = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }

  mock_resource "aws_ecr_repository" {
    override_during = plan
    defaults        = { arn = "arn:aws:ecr:eu-west-2:123456789012:repository/wandle" }
  }
}

variables {
  github_repository = "rbk-lbs/wandle"
}

run "keeps_every_state_encrypted_and_private" {
  command = plan

  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled" && !aws_s3_bucket.state.force_destroy
    error_message = "The state must be recoverable."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.state.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
    error_message = "The state must be encrypted with the key of bootstrap."
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.state.block_public_policy && strcontains(aws_s3_bucket_policy.state.policy, "aws:SecureTransport")
    error_message = "The state bucket must block public access and require TLS."
  }
}

run "lets_one_repository_and_branch_deploy" {
  command = plan

  assert {
    condition = alltrue([
      for name in ["dev", "prod"] : jsondecode(aws_iam_role.deploy[name].assume_role_policy).Statement[0].Condition.StringEquals == {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = "repo:rbk-lbs/wandle:environment:${name}"
        "token.actions.githubusercontent.com:ref" = "refs/heads/main"
      }
    ])
    error_message = "A deployment role must be limited to one repository, one branch and its own environment."
  }
}

run "can_create_roles_only_with_the_boundary" {
  command = plan

  assert {
    condition = alltrue([
      for statement in local.deploy_statements["dev"] : try(statement.Condition.StringEquals["iam:PermissionsBoundary"], "") != ""
      if contains(statement.Action, "iam:CreateRole") || contains(statement.Action, "iam:PutRolePolicy")
    ])
    error_message = "A deployment role must not be able to create a role without the permissions boundary."
  }
}

run "keeps_images_immutable_and_scans_them" {
  command = plan

  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : repository.image_tag_mutability == "IMMUTABLE" && repository.image_scanning_configuration[0].scan_on_push])
    error_message = "Tags must be immutable, and images must be scanned on push."
  }
}

run "refuses_an_invalid_repository" {
  command = plan

  variables {
    github_repository = "wandle"
  }

  expect_failures = [var.github_repository]
}

run "refuses_a_wildcard_branch" {
  command = plan

  variables {
    github_branch = "*"
  }

  expect_failures = [var.github_branch]
}
