output "topic_arn" {
  description = "ARN of the SNS topic for alerts."
  value       = local.topic_arn

  depends_on = [aws_sns_topic.alerts]
}

output "dashboard" {
  description = "Name of the CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
