output "instance_profile_arn" {
  description = "Profile of the EC2 hosts."
  value       = aws_iam_instance_profile.host.arn
}

output "host_role_arn" {
  description = "Role of the EC2 hosts."
  value       = aws_iam_role.host.arn
}

output "job_role" {
  description = "ARN of a job's role, with `{job}` in the place of its name: WANDLE_JOB_ROLE."
  value       = "${local.arn.role}-{job}"
}

output "job_role_arns" {
  description = "ARN of each job's role."
  value       = { for job, role in aws_iam_role.job : job => role.arn }
}

output "sources" {
  description = "What a Lambda has to know of each source: its schedule, and the statements of its role."
  value = {
    for source, contract in local.contracts : source => {
      schedule   = contract.schedule
      statements = local.jobs_of_sources["extract-${source}"].statements
    }
  }
}
