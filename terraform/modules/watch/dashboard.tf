# Dashboard: freshness, Airflow, hosts and database.

locals {
  widgets = [
    { title = "Hours since the last successful check of each source", metrics = [for source in sort(var.sources) : ["Wandle", "FreshnessHours", "Source", source, "Environment", var.context.environment]] },
    { title = "Late sources: number of councils", metrics = [for source in sort(var.sources) : ["Wandle", "Late", "Source", source, "Environment", var.context.environment]] },
    { title = "Airflow heartbeat", metrics = [["Wandle", "Heartbeat", "Environment", var.context.environment]] },
    { title = "Hosts: disk and memory used, %", metrics = concat([for group in sort(var.host_groups) : [for metric in ["disk_used_percent", "mem_used_percent"] : ["Wandle/Host", metric, "Environment", var.context.environment, "Group", group]]]...) },
    { title = "Database: CPU, %", metrics = [["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", var.database_identifier]] },
    { title = "Database: free storage", metrics = [["AWS/RDS", "FreeStorageSpace", "DBInstanceIdentifier", var.database_identifier]] },
    { title = "Database: connections", metrics = [["AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier", var.database_identifier]] },
    { title = "Hosts in service", metrics = [["AWS/AutoScaling", "GroupInServiceInstances", "AutoScalingGroupName", var.autoscaling_group]] },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = local.name

  dashboard_body = jsonencode({
    widgets = [
      for index, widget in local.widgets : {
        type       = "metric"
        x          = 12 * (index % 2)
        y          = 6 * floor(index / 2)
        width      = 12
        height     = 6
        properties = { title = widget.title, region = var.context.region, metrics = widget.metrics, stat = "Maximum", period = 300 }
      }
    ]
  })
}
