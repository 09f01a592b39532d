output "state_bucket" {
  description = "Bucket of the state, for `terraform init -backend-config=bucket=...`."
  value       = aws_s3_bucket.state.bucket
}

output "repositories" {
  description = "Where images are pushed, by repository."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}

output "boundary_arn" {
  description = "Permission boundary of every role."
  value       = aws_iam_policy.boundary.arn
}

output "deploy_role_arns" {
  description = "Role that GitHub deploys with, by environment."
  value       = { for name, role in aws_iam_role.deploy : name => role.arn }
}

output "plan_role_arn" {
  description = "Role that GitHub plans with."
  value       = aws_iam_role.plan.arn
}
