# Who may do what. The host may become a job and do little else; each job's role may do that job;
# a source's role may write that source's landings alone. The contracts say which sources there are.

locals {
  name = "wandle-${var.context.environment}"

  contracts = {
    for file in fileset(var.contracts_folder, "*.yaml") :
    trimsuffix(file, ".yaml") => yamldecode(file("${var.contracts_folder}/${file}"))
  }

  # What a source may read beside its own: the landings that its requests are made of.
  parents = {
    for source, contract in local.contracts :
    source => distinct([for parent in values(try(contract.extract.parents, {})) : parent.source])
  }

  arn = {
    role   = "arn:${var.context.partition}:iam::${var.context.account_id}:role/${local.name}"
    logs   = "arn:${var.context.partition}:logs:${var.context.region}:${var.context.account_id}:log-group:/wandle/${var.context.environment}"
    secret = "arn:${var.context.partition}:secretsmanager:${var.context.region}:${var.context.account_id}:secret:wandle/${var.context.environment}"
    server = "arn:${var.context.partition}:rds:${var.context.region}:${var.context.account_id}:db:${local.name}"
  }

  jobs = merge(local.jobs_of_sources, local.jobs_of_all)
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

# Apart from the others, as its ARN is known only when RDS has made it.
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
