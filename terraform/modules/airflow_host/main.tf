# One EC2 host that runs the Compose stack, in an Auto Scaling group of one that replaces a failed host.
# All data is in RDS, S3 and Secrets Manager, so a new host needs nothing from the old one.

locals {
  name = "wandle-${var.context.environment}"
  # Resolved when an instance launches: the latest Amazon Linux 2023.
  architecture = can(regex("^[a-z]+[0-9]+g", var.instance_type)) ? "arm64" : "x86_64"
  ami          = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${local.architecture}"

  groups = merge(
    { host = { type = var.instance_type, size = 1, port = 8080 } },
    var.workers == 0 ? {} : { worker = { type = coalesce(var.worker_instance_type, var.instance_type), size = var.workers, port = null } },
  )

  user_data = {
    for group in keys(local.groups) : group => templatefile("${path.module}/user_data.sh.tftpl", {
      group            = group
      environment      = var.context.environment
      region           = var.context.region
      image            = var.image
      admin_secret_arn = var.admin_secret_arn
      settings         = var.settings
      listen           = var.public == null && var.workers == 0 ? "127.0.0.1" : "0.0.0.0"
      listen_broker    = var.workers == 0 ? "127.0.0.1" : "0.0.0.0"
      api_image        = group == "host" && var.api != null ? var.api.image : ""
      api_settings     = group == "host" ? local.api_settings : {}
      # Empty on the host itself: it cannot reach itself through the load balancer.
      host = group == "worker" ? one(aws_lb.internal[*].dns_name) : ""
    })
  }
}

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_338:Set per environment: one year in prod
  for_each = toset(["host", "containers"])

  name              = "/wandle/${var.context.environment}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.key_arn
}

resource "aws_launch_template" "this" {
  # checkov:skip=CKV_AWS_341:Containers are one hop further away than the host, and need its role to assume job roles
  for_each = local.groups

  name                   = "${local.name}-${each.key}"
  image_id               = local.ami
  instance_type          = each.value.type
  user_data              = base64encode(local.user_data[each.key])
  update_default_version = true

  iam_instance_profile {
    arn = var.instance_profile_arn
  }

  network_interfaces {
    associate_public_ip_address = false
    security_groups             = [aws_security_group.this[each.key].id]
    delete_on_termination       = true
  }

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
    # 1 hop for the host, 1 more for its containers, which need the host's role to assume job roles.
    http_put_response_hop_limit = 2
    instance_metadata_tags      = "disabled"
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.disk_gb
      encrypted             = true
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = true
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume"])

    content {
      resource_type = tag_specifications.value
      tags          = { Name = "${local.name}-${each.key}", Project = "wandle", Environment = var.context.environment }
    }
  }
}

resource "aws_autoscaling_group" "this" {
  for_each = local.groups

  name                = "${local.name}-${each.key}"
  min_size            = var.nightly_stop == null ? each.value.size : 0
  max_size            = each.value.size
  desired_capacity    = each.value.size
  vpc_zone_identifier = var.private_subnet_ids
  # A new host takes about ten minutes to install packages, pull the image and start Airflow.
  health_check_type         = "EC2"
  health_check_grace_period = 900
  wait_for_capacity_timeout = "0"
  target_group_arns         = each.key == "host" ? local.target_groups : []

  launch_template {
    id      = aws_launch_template.this[each.key].id
    version = aws_launch_template.this[each.key].latest_version
  }

  # A new image or setting replaces the hosts one at a time. The old host is terminated first, so that
  # there are never two schedulers.
  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 0
      max_healthy_percentage = 100
      instance_warmup        = 900
    }
  }

  dynamic "tag" {
    for_each = { Name = "${local.name}-${each.key}", Project = "wandle", Environment = var.context.environment }

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  lifecycle {
    # Changed by the nightly stop. Without one, min_size and max_size determine the capacity.
    ignore_changes = [desired_capacity]
  }
}

resource "aws_autoscaling_schedule" "stop" {
  for_each = var.nightly_stop == null ? {} : local.groups

  scheduled_action_name  = "stop-${each.key}"
  autoscaling_group_name = aws_autoscaling_group.this[each.key].name
  recurrence             = var.nightly_stop.stop
  time_zone              = "UTC"
  min_size               = -1
  max_size               = -1
  desired_capacity       = 0
}

resource "aws_autoscaling_schedule" "start" {
  for_each = var.nightly_stop == null ? {} : local.groups

  scheduled_action_name  = "start-${each.key}"
  autoscaling_group_name = aws_autoscaling_group.this[each.key].name
  recurrence             = var.nightly_stop.start
  time_zone              = "UTC"
  min_size               = -1
  max_size               = -1
  desired_capacity       = each.value.size
}
