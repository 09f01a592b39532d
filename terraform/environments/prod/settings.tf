# All in which the environments differ: numbers, and when it sleeps. Everything else is the same file.

locals {
  environment = "prod"

  numbers = {
    vpc_cidr       = "10.30.0.0/16"
    nat_gateways   = 2
    endpoint_zones = 2

    host_instance_type = "m7g.xlarge"
    host_disk_gb       = 100

    database_instance_class   = "db.m7g.large"
    database_storage_gb       = 100
    database_storage_limit_gb = 1000
    database_backup_days      = 35
    database_multi_az         = true
    database_final_snapshot   = true

    protected            = true
    log_retention_days   = 365
    task_log_days        = 365
    access_log_days      = 365
    landing_archive_days = 90
    monthly_budget_usd   = 1200

    nightly_stop = null
  }
}
