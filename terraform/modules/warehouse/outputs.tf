output "identifier" {
  description = "Identifier of the DB instance."
  value       = aws_db_instance.this.identifier
}

output "arn" {
  description = "ARN of the DB instance."
  value       = aws_db_instance.this.arn
}

output "address" {
  description = "`<host>:<port>` of PostgreSQL: WANDLE_DATABASE."
  value       = aws_db_instance.this.endpoint
}

output "admin_secret_arn" {
  description = "ARN of the secret in which RDS keeps the admin password: WANDLE_ADMIN_SECRET."
  value       = one(aws_db_instance.this.master_user_secret[*].secret_arn)
}

output "security_group_id" {
  description = "ID of the database's security group."
  value       = aws_security_group.this.id
}
