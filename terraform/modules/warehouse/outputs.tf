output "identifier" {
  description = "Name of the database server, for alarms and restores."
  value       = aws_db_instance.this.identifier
}

output "arn" {
  description = "ARN of the database server."
  value       = aws_db_instance.this.arn
}

output "address" {
  description = "`<host>:<port>`: WANDLE_DATABASE."
  value       = aws_db_instance.this.endpoint
}

output "admin_secret_arn" {
  description = "Secret that RDS keeps the admin's password in: WANDLE_ADMIN_SECRET."
  value       = one(aws_db_instance.this.master_user_secret[*].secret_arn)
}

output "security_group_id" {
  description = "Group of the database, for the clients' outgoing rules."
  value       = aws_security_group.this.id
}
