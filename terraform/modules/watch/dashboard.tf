# One page: are the data fresh, does Airflow run, is there room.

locals {
  widgets = [
    { title = "Hours since each source was last looked at", metrics = [for source in sort(var.sources) : ["Wandle", "FreshnessHours", "Source", source, "Environment", var.context.environment]] },
    { title = "Councils for which a source is late", metrics = [for source in sort(var.sources) : ["Wandle", "Late", "Source", source, "Environment", var.context.environment]] },
    { title = "Airflow runs", metrics = [["Wandle", "Heartbeat", "Environment", var.context.environment]] },
    { title = "Hosts: disk and memory in use, %", metrics = concat([for group in sort(var.host_groups) : [for metric in ["disk_used_percent", "mem_used_percent"] : ["Wandle/Host", metric, "Environment", var.context.environment, "Group", group]]]...) },
    { title = "Database: processor, %", metrics = [["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", var.database_identifier]] },
    { title = "Database: free disk", metrics = [["AWS/RDS", "FreeStorageSpace", "DBInstanceIdentifier", var.database_identifier]] },
    { title = "Database: connections", metrics = [["AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier", var.database_identifier]] },
    { title = "Host in service", metrics = [["AWS/AutoScaling", "GroupInServiceInstances", "AutoScalingGroupName", var.autoscaling_group]] },
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
