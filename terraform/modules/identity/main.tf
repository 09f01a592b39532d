# IAM roles. The host can assume job roles and do little else. Each job role has only the permissions
# of its job. There is one extract role per contract, which can write only that source's landings.

locals {
  name = "wandle-${var.context.environment}"

  contracts = {
    for file in fileset(var.contracts_folder, "*.yaml") :
    trimsuffix(file, ".yaml") => yamldecode(file("${var.contracts_folder}/${file}"))
  }

  # The source whose landings a source has its pages in (`kind: landing`).
  followed = {
    for source, contract in local.contracts :
    source => [for name in [try(contract.extract.source, "")] : name if try(contract.extract.kind, "") == "landing"]
  }

  # Sources whose landings a source reads: for its requests, or for its pages.
  read = {
    for source, contract in local.contracts :
    source => concat([for parent in values(try(contract.extract.parents, {})) : parent.source], local.followed[source])
  }
  parents = {
    for source, names in local.read :
    source => distinct(concat(names, flatten([for name in names : try(local.followed[name], [])])))
  }

  # The secret that a source logs in with, if it needs one.
  source_secret = {
    for source, contract in local.contracts : source => contract.extract.auth.secret if can(contract.extract.auth.secret)
  }

  # What the contracts' alerts are sent to: secrets with the URL of a webhook, and SNS topics.
  alert_secrets = toset(compact(flatten([
    for contract in local.contracts : [try(contract.alerts.webhook, ""), try(contract.alerts.slack, "")]
  ])))
  alert_topics = toset(compact([
    for contract in local.contracts : replace(try(contract.alerts.sns, ""), "{environment}", var.context.environment)
  ]))

  # Sources whose files are put into an inbox in the bucket.
  inboxes = toset([
    for source, contract in local.contracts : source
    if try(contract.extract.kind, "") == "files" && try(contract.extract.from, "") == "inbox"
  ])

  arn = {
    role   = "arn:${var.context.partition}:iam::${var.context.account_id}:role/${local.name}"
    logs   = "arn:${var.context.partition}:logs:${var.context.region}:${var.context.account_id}:log-group:/wandle/${var.context.environment}"
    secret = "arn:${var.context.partition}:secretsmanager:${var.context.region}:${var.context.account_id}:secret:wandle/${var.context.environment}"
    topic  = "arn:${var.context.partition}:sns:${var.context.region}:${var.context.account_id}"
    queue  = "arn:${var.context.partition}:sqs:${var.context.region}:${var.context.account_id}:${local.name}-inbox"
    server = "arn:${var.context.partition}:rds:${var.context.region}:${var.context.account_id}:db:${local.name}"
  }

  jobs = merge(local.jobs_of_sources, local.jobs_of_all, local.jobs_of_inboxes, local.jobs_of_alerts, local.jobs_of_api)
}

resource "aws_iam_role" "job" {
  for_each = local.jobs

  name                 = "${local.name}-${each.key}"
  description          = each.value.description
  permissions_boundary = var.boundary_arn
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "HostBecomesJob"
      Effect    = "Allow"
      Principal = { AWS = aws_iam_role.host.arn }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "job" {
  for_each = local.jobs

  name = each.key
  role = aws_iam_role.job[each.key].name

  policy = jsonencode({ Version = "2012-10-17", Statement = each.value.statements })
}

# A separate policy, because the ARN is known only after RDS has created the secret.
resource "aws_iam_role_policy" "admin_secret" {
  name = "admin-secret"
  role = aws_iam_role.job["migrate"].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "ReadAdminSecret"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
      Resource = var.admin_secret_arn
    }]
  })
}

# Also a separate policy for that reason: the ARN is known only after CloudFront has created the distribution.
resource "aws_iam_role_policy" "website" {
  count = var.has_website ? 1 : 0

  name = "website"
  role = aws_iam_role.job["housekeeping"].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "DeleteCopiesOfPublished"
      Effect   = "Allow"
      Action   = ["cloudfront:CreateInvalidation"]
      Resource = var.website_arn
    }]
  })
}
