# Alarms, alerts and budget. The DAG `freshness_watch` publishes the metrics in the namespace Wandle:
# FreshnessHours and Late by Source and Environment, Heartbeat by Environment.

locals {
  name      = "wandle-${var.context.environment}"
  topic_arn = "arn:${var.context.partition}:sns:${var.context.region}:${var.context.account_id}:${local.name}-alerts"
  # A stopped environment publishes no metrics.
  missing = var.nightly_stop == null ? "breaching" : "notBreaching"

  alarms = merge(
    {
      "database-cpu"        = { namespace = "AWS/RDS", metric = "CPUUtilization", statistic = "Average", above = 85, minutes = 30, missing = "missing", dimensions = local.database, says = "The database CPU is above 85 %: look for an expensive query, or use a larger instance." }
      "database-memory"     = { namespace = "AWS/RDS", metric = "FreeableMemory", statistic = "Average", below = 200000000, minutes = 15, missing = "missing", dimensions = local.database, says = "The database has less than 200 MB of memory left." }
      "database-disk"       = { namespace = "AWS/RDS", metric = "FreeStorageSpace", statistic = "Minimum", below = 5000000000, minutes = 10, missing = "missing", dimensions = local.database, says = "The database has less than 5 GB of storage left, although it scales up to ${var.database_storage_limit_gb} GB." }
      "database-connection" = { namespace = "AWS/RDS", metric = "DatabaseConnections", statistic = "Maximum", above = 180, minutes = 10, missing = "missing", dimensions = local.database, says = "The database is close to its connection limit." }
      "heartbeat"           = { namespace = "Wandle", metric = "Heartbeat", statistic = "SampleCount", below = 1, minutes = 180, missing = local.missing, dimensions = { Environment = var.context.environment }, says = "Airflow has run no DAG for three hours." }
    },
    merge([for group in var.host_groups : {
      "${group}-disk"   = { namespace = "Wandle/Host", metric = "disk_used_percent", statistic = "Maximum", above = 85, minutes = 15, missing = local.missing, dimensions = { Environment = var.context.environment, Group = group }, says = "The disk of the ${group} is almost full, or the instance is gone." }
      "${group}-memory" = { namespace = "Wandle/Host", metric = "mem_used_percent", statistic = "Average", above = 92, minutes = 30, missing = "missing", dimensions = { Environment = var.context.environment, Group = group }, says = "The ${group} is almost out of memory." }
    }]...),
    { for source in var.sources : "late-${source}" => { namespace = "Wandle", metric = "Late", statistic = "Maximum", above = 0, minutes = 180, missing = "missing", dimensions = { Source = source, Environment = var.context.environment }, says = "${source} is late for at least one council: its last scheduled run is more than a day overdue." } },
    { for name in var.functions : "function-${name}" => { namespace = "AWS/Lambda", metric = "Errors", statistic = "Sum", above = 0, minutes = 60, missing = "notBreaching", dimensions = { FunctionName = name }, says = "The Lambda function ${name} failed." } },
  )

  database = { DBInstanceIdentifier = var.database_identifier }
}

resource "aws_sns_topic" "alerts" {
  name              = "${local.name}-alerts"
  kms_master_key_id = var.key_arn
}

resource "aws_sns_topic_policy" "alerts" {
  arn = aws_sns_topic.alerts.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AlarmsAndBudgetsOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"] }
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { StringEquals = { "aws:SourceAccount" = var.context.account_id } }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = var.alert_email
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "${each.value.says} What to do: docs/runbook.md."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  dimensions          = each.value.dimensions
  comparison_operator = can(each.value.above) ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = try(each.value.above, each.value.below)
  period              = min(each.value.minutes * 60, 3600)
  evaluation_periods  = max(1, each.value.minutes / 60)
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_budgets_budget" "this" {
  name         = local.name
  budget_type  = "COST"
  limit_amount = format("%.1f", var.monthly_budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  cost_filter {
    name   = "TagKeyValue"
    values = ["user:Environment$$${var.context.environment}"]
  }

  dynamic "notification" {
    for_each = [
      { type = "ACTUAL", percent = 80 },
      { type = "ACTUAL", percent = 100 },
      { type = "FORECASTED", percent = 100 },
    ]

    content {
      notification_type          = notification.value.type
      threshold                  = notification.value.percent
      threshold_type             = "PERCENTAGE"
      comparison_operator        = "GREATER_THAN"
      subscriber_email_addresses = [var.alert_email]
    }
  }
}
