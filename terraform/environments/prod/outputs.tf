output "bucket" {
  description = "The bucket: WANDLE_BUCKET."
  value       = module.lake.bucket
}

output "database" {
  description = "`<host>:<port>` of PostgreSQL: WANDLE_DATABASE."
  value       = module.warehouse.address
}

output "admin_secret_arn" {
  description = "Secret that RDS keeps the admin's password in: WANDLE_ADMIN_SECRET."
  value       = module.warehouse.admin_secret_arn
}

output "job_role" {
  description = "ARN of a job's role, with {job} in the place of its name: WANDLE_JOB_ROLE."
  value       = module.identity.job_role
}

output "autoscaling_group" {
  description = "Group of the host, for `aws ssm start-session` and restarts."
  value       = module.airflow_host.autoscaling_group
}

output "settings" {
  description = "What the host gives to every container."
  value       = module.airflow_host.settings
}

output "balancer" {
  description = "Name that the council's DNS points at; null without a load balancer."
  value       = module.airflow_host.balancer
}

output "dashboard" {
  description = "The dashboard in CloudWatch."
  value       = module.watch.dashboard
}
