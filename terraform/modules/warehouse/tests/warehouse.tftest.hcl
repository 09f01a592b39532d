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
    error_message = "The database must have no public address."
  }

  assert {
    condition     = aws_db_instance.this.storage_encrypted
    error_message = "The disk must be encrypted."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.clients : rule.cidr_ipv4 == null && rule.from_port == 5432 && rule.to_port == 5432])
    error_message = "Only the clients' groups get in, on PostgreSQL's port."
  }
}

run "takes_tls_alone" {
  command = plan

  assert {
    condition     = one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == "rds.force_ssl"]) == "1"
    error_message = "PostgreSQL must refuse connections without TLS."
  }
}

run "knows_no_password" {
  command = plan

  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null
    error_message = "RDS keeps the admin's password itself; none may be in the state."
  }
}

run "keeps_values_of_statements_out_of_the_log" {
  command = plan

  assert {
    condition = alltrue([
      for name in ["log_parameter_max_length", "log_parameter_max_length_on_error"] :
      one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == name]) == "0"
    ])
    error_message = "Values may be personal and must not be logged."
  }
}

run "is_safe_in_prod" {
  command = plan

  assert {
    condition     = aws_db_instance.this.deletion_protection
    error_message = "Protected by default."
  }

  assert {
    condition     = aws_db_instance.this.multi_az && aws_db_instance.this.backup_retention_period == 35
    error_message = "A server stands by, and one can go back to any moment of five weeks."
  }

  assert {
    condition     = !aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.final_snapshot_identifier == "wandle-prod-final"
    error_message = "Destroying it must leave a snapshot."
  }
}

run "grows_by_itself_and_is_watched" {
  command = plan

  assert {
    condition     = aws_db_instance.this.max_allocated_storage == 1000 && aws_db_instance.this.performance_insights_enabled
    error_message = "Storage grows by itself, and Performance Insights is on."
  }

  assert {
    condition     = aws_db_instance.this.enabled_cloudwatch_logs_exports == toset(["postgresql", "upgrade"])
    error_message = "PostgreSQL's logs go to CloudWatch."
  }
}

run "refuses_an_old_postgresql" {
  command = plan

  variables {
    engine_version = 16
  }

  expect_failures = [var.engine_version]
}

run "refuses_an_unknown_size" {
  command = plan

  variables {
    instance_class = "db.huge"
  }

  expect_failures = [var.instance_class]
}

run "refuses_a_disk_that_cannot_grow" {
  command = plan

  variables {
    storage_limit_gb = 100
  }

  expect_failures = [var.storage_limit_gb]
}

run "refuses_to_go_without_backups" {
  command = plan

  variables {
    backup_days = 0
  }

  expect_failures = [var.backup_days]
}
