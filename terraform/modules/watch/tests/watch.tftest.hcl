mock_provider "aws" {}

variables {
  context = {
    environment = "prod"
    account_id  = "123456789012"
    region      = "eu-west-2"
    partition   = "aws"
  }

  boundary_arn              = "arn:aws:iam::123456789012:policy/wandle-boundary"
  key_arn                   = "arn:aws:kms:eu-west-2:123456789012:key/1"
  alert_email               = "data@example.gov.uk"
  monthly_budget_usd        = 900
  sources                   = ["bank_holidays", "weather_hourly"]
  database_identifier       = "wandle-prod"
  database_storage_limit_gb = 1000
  host_groups               = ["host"]
  autoscaling_group         = "wandle-prod-host"
}

run "monitors_sources_airflow_hosts_and_database" {
  command = plan

  assert {
    condition = alltrue([
      for name in ["late-bank_holidays", "late-weather_hourly", "heartbeat", "host-disk", "host-memory", "database-cpu", "database-disk", "database-memory"] :
      contains(keys(aws_cloudwatch_metric_alarm.this), name)
    ])
    error_message = "Sources, Airflow, hosts and database must have alarms."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["late-bank_holidays"].namespace == "Wandle" && aws_cloudwatch_metric_alarm.this["late-bank_holidays"].dimensions == tomap({ Source = "bank_holidays", Environment = "prod" })
    error_message = "Metric names must match those that `freshness_watch` publishes (docs/deploy.md)."
  }
}

run "raises_an_alarm_when_metrics_stop" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["heartbeat"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.this["host-disk"].treat_missing_data == "breaching"
    error_message = "A missing heartbeat must raise an alarm."
  }

  assert {
    condition     = length(aws_scheduler_schedule.database) == 0
    error_message = "Without nightly_stop the database must run all the time."
  }
}

run "stops_and_starts_the_database_at_night" {
  command = plan

  variables {
    nightly_stop = { stop = "0 19 * * *", start = "0 7 * * MON-FRI" }
  }

  assert {
    condition     = aws_scheduler_schedule.database["stopDBInstance"].schedule_expression == "cron(0 19 * * ? *)" && aws_scheduler_schedule.database["startDBInstance"].schedule_expression == "cron(0 7 ? * MON-FRI *)"
    error_message = "The EventBridge expressions must match nightly_stop."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["heartbeat"].treat_missing_data == "notBreaching"
    error_message = "A stopped environment must not raise alarms."
  }
}

run "sends_encrypted_alerts_and_budget_warnings" {
  command = plan

  assert {
    condition     = aws_sns_topic.alerts.kms_master_key_id == var.key_arn && aws_sns_topic_subscription.email.endpoint == var.alert_email
    error_message = "Alerts must be sent to alert_email and encrypted at rest."
  }

  assert {
    condition     = length(aws_budgets_budget.this.notification) == 3 && aws_budgets_budget.this.limit_amount == "900.0"
    error_message = "The budget must alert at 80 % and 100 % of actual cost and at 100 % of forecast cost."
  }
}

run "refuses_an_invalid_email_address" {
  command = plan

  variables {
    alert_email = ""
  }

  expect_failures = [var.alert_email]
}
