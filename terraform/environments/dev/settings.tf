# The environments differ only in this file and in backend.tf.

locals {
  environment = "dev"

  settings = {
    protected = coalesce(var.protected, false)

    network = {
      cidr           = coalesce(var.vpc_cidr, "10.20.0.0/16")
      nat_gateways   = 1
      endpoint_zones = 1
    }

    host = {
      instance_type = coalesce(var.host_instance_type, "t4g.xlarge")
      disk_gb       = 50
    }

    database = {
      instance_class   = coalesce(var.database_instance_class, "db.t4g.medium")
      storage_gb       = 20
      storage_limit_gb = 100
      backup_days      = 3
      multi_az         = false
      final_snapshot   = false
    }

    retention_days = {
      logs        = 30
      task_logs   = 30
      access_logs = 30
    }

    landing_archive_days = 30
    monthly_budget_usd   = 250

    # Runs on working days, 07:00 to 19:00 UTC.
    nightly_stop = { stop = "0 19 * * *", start = "0 7 * * MON-FRI" }
  }
}
