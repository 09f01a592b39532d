# Roles for GitHub Actions workflows of one repository and branch, with credentials that expire after an
# hour; no access key is stored. One role per environment, which cannot change the other environment, and
# one role that can only plan.

locals {
  issuer = "token.actions.githubusercontent.com"

  # Pull requests can plan: read the configuration, but not data and secrets.
  subjects_that_plan = [
    "repo:${var.github_repository}:pull_request",
    "repo:${var.github_repository}:ref:refs/heads/${var.github_branch}",
  ]
}

resource "aws_iam_openid_connect_provider" "github" {
  url             = "https://${local.issuer}"
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = length(var.github_thumbprints) > 0 ? var.github_thumbprints : null
}

resource "aws_iam_role" "deploy" {
  for_each = var.environments

  name                 = "wandle-deploy-${each.key}"
  description          = "GitHub deploys ${each.key} from ${var.github_repository}, branch ${var.github_branch}"
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "BranchDeploys"
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.github.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.issuer}:aud" = "sts.amazonaws.com"
          "${local.issuer}:sub" = "repo:${var.github_repository}:environment:${each.key}"
          "${local.issuer}:ref" = "refs/heads/${var.github_branch}"
        }
      }
    }]
  })
}

resource "aws_iam_role" "plan" {
  name                 = "wandle-plan"
  description          = "GitHub plans for ${var.github_repository}: reads the configuration only"
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RepositoryPlans"
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.github.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.issuer}:aud" = "sts.amazonaws.com"
          "${local.issuer}:sub" = local.subjects_that_plan
        }
      }
    }]
  })
}

resource "aws_iam_policy" "plan" {
  # checkov:skip=CKV_AWS_355:Read-only, because a plan reads resources whose names are not known yet; excludes data and secrets
  name        = "wandle-plan"
  description = "How things are set up: neither data nor secrets"
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.plan_statements })
}

resource "aws_iam_role_policy_attachment" "plan" {
  for_each = merge({ plan = aws_iam_role.plan.name }, { for name, role in aws_iam_role.deploy : name => role.name })

  role       = each.value
  policy_arn = aws_iam_policy.plan.arn
}

resource "aws_iam_policy" "deploy" {
  for_each = var.environments

  name        = "wandle-deploy-${each.key}"
  description = "Making, changing and destroying what is named wandle-${each.key}"
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.deploy_statements[each.key] })
}

resource "aws_iam_policy" "deploy_website" {
  for_each = var.environments

  name        = "wandle-deploy-${each.key}-website"
  description = "Making, changing and destroying the website of ${each.key}"
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.website_statements[each.key] })
}

resource "aws_iam_role_policy_attachment" "deploy_website" {
  for_each = var.environments

  role       = aws_iam_role.deploy[each.key].name
  policy_arn = aws_iam_policy.deploy_website[each.key].arn
}

resource "aws_iam_role_policy_attachment" "deploy" {
  for_each = var.environments

  role       = aws_iam_role.deploy[each.key].name
  policy_arn = aws_iam_policy.deploy[each.key].arn
}
