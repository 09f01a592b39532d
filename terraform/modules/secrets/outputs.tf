output "arns" {
  description = "ARNs of the secrets, by name without the prefix `wandle/<environment>/`."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}
