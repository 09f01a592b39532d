# The environments differ only in this file and in backend.tf.

locals {
  environment = "prod"

  settings = {
    protected = coalesce(var.protected, true)

    network = {
      cidr           = coalesce(var.vpc_cidr, "10.30.0.0/16")
      nat_gateways   = 2
      endpoint_zones = 2
    }

    host = {
      instance_type = coalesce(var.host_instance_type, "m7g.xlarge")
      disk_gb       = 100
    }

    database = {
      instance_class   = coalesce(var.database_instance_class, "db.m7g.large")
      storage_gb       = 100
      storage_limit_gb = 1000
      backup_days      = 35
      multi_az         = true
      final_snapshot   = true
    }

    retention_days = {
      logs        = 365
      task_logs   = 365
      access_logs = 365
    }

    landing_archive_days = 90
    monthly_budget_usd   = 1200

    nightly_stop = null
  }
}
