output "arns" {
  description = "ARN of each secret, by its name without `wandle/<environment>/`."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}
