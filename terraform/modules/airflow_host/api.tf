# Optional: the read API (`wandle serve`) on the host, behind the public load balancer. It runs in Compose, in
# the profile `api`, and becomes the job role `serve`.

locals {
  api = var.api == null ? {} : { this = var.api }

  # Read by docker-compose.yaml and docker-compose.aws.yaml.
  api_settings = var.api == null ? {} : {
    COMPOSE_PROFILES     = "api"
    WANDLE_API_IMAGE     = var.api.image
    WANDLE_API_RATE      = var.api.per_second
    WANDLE_API_WITH_KEYS = var.api.with_keys ? "--keys" : "--no-keys"
    WANDLE_API_WORKERS   = var.api.workers
    WANDLE_LISTEN_API    = "0.0.0.0"
  }
}

resource "aws_vpc_security_group_egress_rule" "balancer_api" {
  for_each = local.api

  security_group_id            = aws_security_group.balancer["this"].id
  description                  = "The read API on the host"
  referenced_security_group_id = aws_security_group.this["host"].id
  ip_protocol                  = "tcp"
  from_port                    = 8000
  to_port                      = 8000
}

resource "aws_vpc_security_group_ingress_rule" "api_from_balancer" {
  for_each = local.api

  security_group_id            = aws_security_group.this["host"].id
  description                  = "The read API from the load balancer"
  referenced_security_group_id = aws_security_group.balancer["this"].id
  ip_protocol                  = "tcp"
  from_port                    = 8000
  to_port                      = 8000
}

resource "aws_lb_target_group" "api" {
  # checkov:skip=CKV_AWS_378:TLS ends at the load balancer; from there traffic stays in the VPC between two security groups
  for_each = local.api

  name_prefix = "api"
  port        = 8000
  protocol    = "HTTP"
  vpc_id      = var.vpc_id
  # Answers that are being sent end, as in `stop_grace_period`.
  deregistration_delay = 40

  health_check {
    path                = "/readyz"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener_rule" "api" {
  for_each = local.api

  listener_arn = aws_lb_listener.public["this"].arn
  priority     = 10

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.api["this"].arn
  }

  condition {
    host_header {
      values = [each.value.hostname]
    }
  }
}

resource "aws_lb_listener_certificate" "api" {
  for_each = { for name, api in local.api : name => api if api.certificate_arn != null }

  listener_arn    = aws_lb_listener.public["this"].arn
  certificate_arn = each.value.certificate_arn
}
