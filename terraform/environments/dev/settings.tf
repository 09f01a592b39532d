# All in which the environments differ: numbers, and when it sleeps. Everything else is the same file.

locals {
  environment = "dev"

  numbers = {
    vpc_cidr       = "10.20.0.0/16"
    nat_gateways   = 1
    endpoint_zones = 1

    host_instance_type = "t4g.xlarge"
    host_disk_gb       = 50

    database_instance_class   = "db.t4g.medium"
    database_storage_gb       = 20
    database_storage_limit_gb = 100
    database_backup_days      = 3
    database_multi_az         = false
    database_final_snapshot   = false

    protected            = false
    log_retention_days   = 30
    task_log_days        = 30
    access_log_days      = 30
    landing_archive_days = 30
    monthly_budget_usd   = 250

    # Working days, 07:00 to 19:00 UTC.
    nightly_stop = { stop = "0 19 * * *", start = "0 7 * * MON-FRI" }
  }
}
