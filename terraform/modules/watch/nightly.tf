# Optional: stops and starts the database on a schedule to save cost. The hosts' Auto Scaling groups have
# their own schedules (modules/airflow_host).

locals {
  nightly = var.nightly_stop == null ? {} : {
    stopDBInstance  = var.nightly_stop.stop
    startDBInstance = var.nightly_stop.start
  }
}

resource "aws_scheduler_schedule" "database" {
  for_each = local.nightly

  name                         = "${local.name}-${each.key}"
  schedule_expression          = "cron(${join(" ", slice(split(" ", each.value), 0, 2))} ${split(" ", each.value)[4] == "*" ? "* * ? *" : "? * ${split(" ", each.value)[4]} *"})"
  schedule_expression_timezone = "UTC"
  kms_key_arn                  = var.key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:${var.context.partition}:scheduler:::aws-sdk:rds:${each.key}"
    role_arn = aws_iam_role.nightly[0].arn
    input    = jsonencode({ DbInstanceIdentifier = var.database_identifier })
  }
}

resource "aws_iam_role" "nightly" {
  count = var.nightly_stop == null ? 0 : 1

  name                 = "${local.name}-nightly"
  description          = "Stops and starts the database"
  permissions_boundary = var.boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "SchedulesOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.context.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "nightly" {
  count = var.nightly_stop == null ? 0 : 1

  name = "stop-and-start"
  role = aws_iam_role.nightly[0].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "StopAndStartDatabase"
        Effect   = "Allow"
        Action   = ["rds:StopDBInstance", "rds:StartDBInstance"]
        Resource = "arn:${var.context.partition}:rds:${var.context.region}:${var.context.account_id}:db:${local.name}"
      },
      {
        Sid       = "ReadSchedule"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = var.key_arn
        Condition = { StringEquals = { "kms:ViaService" = "scheduler.${var.context.region}.amazonaws.com" } }
      },
    ]
  })
}
