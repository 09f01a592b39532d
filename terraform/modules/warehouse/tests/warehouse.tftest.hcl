mock_provider "aws" {}

variables {
  context = {
    environment = "prod"
    account_id  = "123456789012"
    region      = "eu-west-2"
    partition   = "aws"
  }

  boundary_arn     = "arn:aws:iam::123456789012:policy/wandle-boundary"
  key_arn          = "arn:aws:kms:eu-west-2:123456789012:key/1"
  vpc_id           = "vpc-1"
  subnet_ids       = ["subnet-1", "subnet-2"]
  clients          = { host = "sg-1" }
  instance_class   = "db.m7g.large"
  storage_gb       = 100
  storage_limit_gb = 1000
  multi_az         = true
  backup_days      = 35
  final_snapshot   = true
}

run "is_private_and_encrypted" {
  command = plan

  assert {
    condition     = !aws_db_instance.this.publicly_accessible
    error_message = "The database must not be publicly accessible."
  }

  assert {
    condition     = aws_db_instance.this.storage_encrypted
    error_message = "Storage must be encrypted."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.clients : rule.cidr_ipv4 == null && rule.from_port == 5432 && rule.to_port == 5432])
    error_message = "Only the clients' security groups may connect, on port 5432."
  }
}

run "requires_tls" {
  command = plan

  assert {
    condition     = one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == "rds.force_ssl"]) == "1"
    error_message = "PostgreSQL must reject connections without TLS."
  }
}

run "stores_no_password_in_the_state" {
  command = plan

  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null
    error_message = "RDS must manage the admin password, so that none is in the state."
  }
}

run "does_not_log_query_parameters" {
  command = plan

  assert {
    condition = alltrue([
      for name in ["log_parameter_max_length", "log_parameter_max_length_on_error"] :
      one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == name]) == "0"
    ])
    error_message = "Query parameters can contain personal data and must not be logged."
  }
}

run "is_protected_and_highly_available_in_prod" {
  command = plan

  assert {
    condition     = aws_db_instance.this.deletion_protection
    error_message = "The database must be protected by default."
  }

  assert {
    condition     = aws_db_instance.this.multi_az && aws_db_instance.this.backup_retention_period == 35
    error_message = "There must be a standby and five weeks of point-in-time recovery."
  }

  assert {
    condition     = !aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.final_snapshot_identifier == "wandle-prod-final"
    error_message = "Destroying the database must create a final snapshot."
  }
}

run "scales_its_storage_and_is_monitored" {
  command = plan

  assert {
    condition     = aws_db_instance.this.max_allocated_storage == 1000 && aws_db_instance.this.performance_insights_enabled
    error_message = "Storage autoscaling and Performance Insights must be on."
  }

  assert {
    condition     = aws_db_instance.this.enabled_cloudwatch_logs_exports == toset(["postgresql", "upgrade"])
    error_message = "PostgreSQL logs must be exported to CloudWatch."
  }
}

run "refuses_an_old_postgresql" {
  command = plan

  variables {
    engine_version = 16
  }

  expect_failures = [var.engine_version]
}

run "refuses_an_unknown_instance_class" {
  command = plan

  variables {
    instance_class = "db.huge"
  }

  expect_failures = [var.instance_class]
}

run "refuses_storage_that_cannot_grow" {
  command = plan

  variables {
    storage_limit_gb = 100
  }

  expect_failures = [var.storage_limit_gb]
}

run "refuses_to_turn_off_backups" {
  command = plan

  variables {
    backup_days = 0
  }

  expect_failures = [var.backup_days]
}
