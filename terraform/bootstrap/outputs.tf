output "state_bucket" {
  description = "Name of the state bucket, for `terraform init -backend-config=bucket=...`."
  value       = aws_s3_bucket.state.bucket
}

output "repositories" {
  description = "URLs of the ECR repositories, by name."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}

output "boundary_arn" {
  description = "ARN of the permissions boundary of every role."
  value       = aws_iam_policy.boundary.arn
}

output "deploy_role_arns" {
  description = "ARNs of the roles that GitHub Actions uses to deploy, by environment."
  value       = { for name, role in aws_iam_role.deploy : name => role.arn }
}

output "plan_role_arn" {
  description = "ARN of the role that GitHub Actions uses to plan."
  value       = aws_iam_role.plan.arn
}
