# Optional: Airflow on the council's domain, with TLS, for the council's own IP addresses. Airflow itself
# does the OIDC login (docs/deploy.md): the load balancer would need the client secret in the state.

locals {
  public = var.public == null ? {} : { this = var.public }
}

resource "aws_security_group" "balancer" {
  # checkov:skip=CKV2_AWS_5:Attached to the load balancer below, which exists under the same condition
  for_each = local.public

  name        = "${local.name}-balancer"
  description = "HTTPS from the council's addresses, on to the host."
  vpc_id      = var.vpc_id

  tags = { Name = "${local.name}-balancer" }
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  for_each = var.public == null ? toset([]) : toset(var.public.allowed_cidrs)

  security_group_id = aws_security_group.balancer["this"].id
  description       = "HTTPS from the council"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  for_each = local.public

  security_group_id            = aws_security_group.balancer["this"].id
  description                  = "Airflow on the host"
  referenced_security_group_id = aws_security_group.this["host"].id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
}

resource "aws_vpc_security_group_ingress_rule" "from_balancer" {
  for_each = local.public

  security_group_id            = aws_security_group.this["host"].id
  description                  = "Airflow from the load balancer"
  referenced_security_group_id = aws_security_group.balancer["this"].id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
}

resource "aws_lb" "public" {
  # checkov:skip=CKV2_AWS_28:Only the council's own CIDR blocks can connect; the council can add a web application firewall
  # checkov:skip=CKV_AWS_150:Set per environment: protected is true in prod
  # checkov:skip=CKV2_AWS_20:There is no HTTP listener, so there is nothing to redirect
  for_each = local.public

  name                       = local.name
  load_balancer_type         = "application"
  internal                   = false
  subnets                    = var.public_subnet_ids
  security_groups            = [aws_security_group.balancer["this"].id]
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "strictest"
  enable_deletion_protection = var.protected

  access_logs {
    bucket  = var.access_logs_bucket
    prefix  = "load-balancer"
    enabled = true
  }
}

resource "aws_lb_target_group" "public" {
  # checkov:skip=CKV_AWS_378:TLS ends at the load balancer; from there traffic stays in the VPC between two security groups
  for_each = local.public

  name_prefix = "wandle"
  port        = 8080
  protocol    = "HTTP"
  vpc_id      = var.vpc_id

  health_check {
    path    = "/api/v2/monitor/health"
    matcher = "200"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "public" {
  for_each = local.public

  load_balancer_arn = aws_lb.public["this"].arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = each.value.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.public["this"].arn
  }
}
