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

run "watches_each_source_host_database_and_airflow_itself" {
  command = plan

  assert {
    condition = alltrue([
      for name in ["late-bank_holidays", "late-weather_hourly", "heartbeat", "host-disk", "host-memory", "database-cpu", "database-disk", "database-memory"] :
      contains(keys(aws_cloudwatch_metric_alarm.this), name)
    ])
    error_message = "Sources, Airflow, host and database must have alarms."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["late-bank_holidays"].namespace == "Wandle" && aws_cloudwatch_metric_alarm.this["late-bank_holidays"].dimensions == tomap({ Source = "bank_holidays", Environment = "prod" })
    error_message = "The names must be those that `freshness_watch` puts (docs/deploy.md)."
  }
}

run "hears_of_silence_where_it_never_sleeps" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["heartbeat"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.this["host-disk"].treat_missing_data == "breaching"
    error_message = "No heartbeat is the worst news of all."
  }

  assert {
    condition     = length(aws_scheduler_schedule.database) == 0
    error_message = "What never sleeps is not stopped."
  }
}

run "stops_and_starts_the_database_at_night" {
  command = plan

  variables {
    nightly_stop = { stop = "0 19 * * *", start = "0 7 * * MON-FRI" }
  }

  assert {
    condition     = aws_scheduler_schedule.database["stopDBInstance"].schedule_expression == "cron(0 19 * * ? *)" && aws_scheduler_schedule.database["startDBInstance"].schedule_expression == "cron(0 7 ? * MON-FRI *)"
    error_message = "EventBridge's cron must mean what nightly_stop does."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["heartbeat"].treat_missing_data == "notBreaching"
    error_message = "A sleeping environment raises no alarm."
  }
}

run "tells_by_encrypted_mail_and_before_the_money_is_gone" {
  command = plan

  assert {
    condition     = aws_sns_topic.alerts.kms_master_key_id == var.key_arn && aws_sns_topic_subscription.email.endpoint == var.alert_email
    error_message = "Alerts go to the address, encrypted at rest."
  }

  assert {
    condition     = length(aws_budgets_budget.this.notification) == 3 && aws_budgets_budget.this.limit_amount == "900.0"
    error_message = "The budget warns at 80 %, at 100 %, and when it is forecast."
  }
}

run "refuses_to_have_nobody_to_tell" {
  command = plan

  variables {
    alert_email = ""
  }

  expect_failures = [var.alert_email]
}
