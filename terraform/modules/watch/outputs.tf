output "topic_arn" {
  description = "Topic that alarms are sent to."
  value       = local.topic_arn

  depends_on = [aws_sns_topic.alerts]
}

output "dashboard" {
  description = "Name of the dashboard in CloudWatch."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
