# PostgreSQL on RDS for the warehouse and, in a separate database, for Airflow's metadata. `wandle
# migrate` creates roles, schemas and the second database.

locals {
  name    = "wandle-${var.context.environment}"
  exports = toset(["postgresql", "upgrade"])
}

resource "aws_db_subnet_group" "this" {
  name       = local.name
  subnet_ids = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${local.name}-"
  family      = "postgres${var.engine_version}"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "log_statement"
    value = "ddl"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "5000"
  }

  # Query parameters can contain personal data, so they are not logged.
  parameter {
    name  = "log_parameter_max_length_on_error"
    value = "0"
  }

  parameter {
    name  = "log_parameter_max_length"
    value = "0"
  }

  lifecycle {
    create_before_destroy = true
  }
}

# If these did not exist, RDS would create them without expiry and without the key.
resource "aws_cloudwatch_log_group" "exports" {
  # checkov:skip=CKV_AWS_338:Set per environment: one year in prod
  for_each = local.exports

  name              = "/aws/rds/instance/${local.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.key_arn
}

resource "aws_db_instance" "this" {
  # checkov:skip=CKV_AWS_157:A number of the environment: multi_az is true in prod
  # checkov:skip=CKV_AWS_293:A number of the environment: protected is true in prod
  identifier     = local.name
  db_name        = "warehouse"
  engine         = "postgres"
  engine_version = tostring(var.engine_version)
  instance_class = var.instance_class
  multi_az       = var.multi_az

  allocated_storage     = var.storage_gb
  max_allocated_storage = var.storage_limit_gb
  storage_type          = "gp3"
  # AWS managed key: the final snapshot can be restored after the environment and its key are deleted.
  storage_encrypted = true

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  publicly_accessible    = false
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  username                            = "wandle_admin"
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = var.key_arn
  iam_database_authentication_enabled = true

  parameter_group_name        = aws_db_parameter_group.this.name
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = false
  maintenance_window          = "mon:08:30-mon:09:30"

  backup_retention_period = var.backup_days
  # After the nightly runs, at a time when an environment with a nightly stop is running.
  backup_window             = "07:30-08:15"
  copy_tags_to_snapshot     = true
  delete_automated_backups  = true
  deletion_protection       = var.protected
  skip_final_snapshot       = !var.final_snapshot
  final_snapshot_identifier = var.final_snapshot ? "${local.name}-final" : null

  enabled_cloudwatch_logs_exports       = local.exports
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.key_arn
  performance_insights_retention_period = 7

  depends_on = [aws_cloudwatch_log_group.exports]
}

resource "aws_security_group" "this" {
  name        = "${local.name}-warehouse"
  description = "PostgreSQL: from the clients alone, to nobody."
  vpc_id      = var.vpc_id

  tags = { Name = "${local.name}-warehouse" }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = var.clients

  security_group_id            = aws_security_group.this.id
  description                  = "PostgreSQL from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_iam_role" "monitoring" {
  name                 = "${local.name}-database-monitoring"
  permissions_boundary = var.boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "MonitoringOfThisDatabase"
      Effect    = "Allow"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.context.account_id } }
    }]
  })
}

# The same permissions as AWS's managed policy AmazonRDSEnhancedMonitoringRole, written out so that they
# can be compared with the boundary.
resource "aws_iam_role_policy" "monitoring" {
  name = "write-metrics"
  role = aws_iam_role.monitoring.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "WriteDatabaseMetrics"
      Effect   = "Allow"
      Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:PutLogEvents", "logs:PutRetentionPolicy"]
      Resource = "arn:${var.context.partition}:logs:*:${var.context.account_id}:log-group:RDSOSMetrics*"
    }]
  })
}
