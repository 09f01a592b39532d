output "instance_profile_arn" {
  description = "ARN of the EC2 hosts' instance profile."
  value       = aws_iam_instance_profile.host.arn
}

output "host_role_arn" {
  description = "ARN of the EC2 hosts' role."
  value       = aws_iam_role.host.arn
}

output "job_role" {
  description = "ARN of a job's role, with `{job}` in place of the job name: WANDLE_JOB_ROLE."
  value       = "${local.arn.role}-{job}"
}

output "job_role_arns" {
  description = "ARNs of the job roles, by job."
  value       = { for job, role in aws_iam_role.job : job => role.arn }
}

output "source_secrets" {
  description = "Names of the secrets that sources log in with, and of those with the URLs of alerts."
  value       = setunion(toset(values(local.source_secret)), local.alert_secrets)
}

output "inboxes" {
  description = "The sources whose files are put into an inbox in the bucket."
  value       = local.inboxes
}

output "sources" {
  description = "Schedule and IAM statements of each source, for its Lambda function."
  value = {
    for source, contract in local.contracts : source => {
      schedule   = try(contract.schedule, "")
      statements = local.jobs_of_sources["extract-${source}"].statements
    }
  }
}
