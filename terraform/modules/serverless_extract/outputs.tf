output "function_name" {
  description = "Name of the Lambda."
  value       = aws_lambda_function.this.function_name
}

output "role_arn" {
  description = "Role of the Lambda."
  value       = aws_iam_role.this.arn
}
