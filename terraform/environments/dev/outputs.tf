output "bucket" {
  description = "Name of the lake bucket: WANDLE_BUCKET."
  value       = module.environment.bucket
}

output "database" {
  description = "`<host>:<port>` of PostgreSQL: WANDLE_DATABASE."
  value       = module.environment.database
}

output "admin_secret_arn" {
  description = "ARN of the secret in which RDS keeps the admin password: WANDLE_ADMIN_SECRET."
  value       = module.environment.admin_secret_arn
}

output "job_role" {
  description = "ARN of a job's role, with `{job}` in place of the job name: WANDLE_JOB_ROLE."
  value       = module.environment.job_role
}

output "autoscaling_group" {
  description = "Name of the host's Auto Scaling group, to find the instance for `aws ssm start-session`."
  value       = module.environment.autoscaling_group
}

output "settings" {
  description = "Environment variables that the host passes to every container."
  value       = module.environment.settings
}

output "balancer" {
  description = "DNS name of the load balancer, for the council's DNS record. Null without a load balancer."
  value       = module.environment.balancer
}

output "dashboard" {
  description = "Name of the CloudWatch dashboard."
  value       = module.environment.dashboard
}

output "website" {
  description = "Address of the published dashboard and open data on the internet. Null if they are not published there."
  value       = module.environment.website
}

output "website_domain" {
  description = "DNS name of the website's CloudFront distribution, for the council's DNS record. Null without the website."
  value       = module.environment.website_domain
}
