# Optional: hosts that run only Celery workers. They reach the main host, which can be replaced at any
# time, through an internal load balancer: Airflow's API (8080) and the broker (6379).

locals {
  ports = var.workers == 0 ? {} : { api = 8080, broker = 6379 }

  target_groups = concat(
    [for group in aws_lb_target_group.public : group.arn],
    [for group in aws_lb_target_group.internal : group.arn],
    [for group in aws_lb_target_group.api : group.arn],
  )
}

resource "aws_lb" "internal" {
  # checkov:skip=CKV_AWS_150:It is stateless and can be recreated at any time
  # checkov:skip=CKV_AWS_91:VPC Flow Logs record these connections; a Network Load Balancer logs only TLS listeners
  count = var.workers == 0 ? 0 : 1

  name                             = "${local.name}-internal"
  load_balancer_type               = "network"
  internal                         = true
  subnets                          = var.private_subnet_ids
  security_groups                  = [aws_security_group.internal[0].id]
  enable_cross_zone_load_balancing = true
}

resource "aws_security_group" "internal" {
  count = var.workers == 0 ? 0 : 1

  name        = "${local.name}-internal"
  description = "From the workers to the host."
  vpc_id      = var.vpc_id

  tags = { Name = "${local.name}-internal" }
}

resource "aws_vpc_security_group_ingress_rule" "internal" {
  for_each = local.ports

  security_group_id            = aws_security_group.internal[0].id
  description                  = "${each.key} from the workers"
  referenced_security_group_id = aws_security_group.this["worker"].id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_vpc_security_group_egress_rule" "internal" {
  for_each = local.ports

  security_group_id            = aws_security_group.internal[0].id
  description                  = "${each.key} on the host"
  referenced_security_group_id = aws_security_group.this["host"].id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_vpc_security_group_ingress_rule" "from_internal" {
  for_each = local.ports

  security_group_id            = aws_security_group.this["host"].id
  description                  = "${each.key} from the workers' balancer"
  referenced_security_group_id = aws_security_group.internal[0].id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_vpc_security_group_egress_rule" "worker" {
  for_each = local.ports

  security_group_id            = aws_security_group.this["worker"].id
  description                  = "${each.key} of the host"
  referenced_security_group_id = aws_security_group.internal[0].id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_lb_target_group" "internal" {
  # checkov:skip=CKV_AWS_378:Traffic stays in the VPC between two security groups, and every API call carries a signed token
  for_each = local.ports

  name_prefix = "wandle"
  port        = each.value
  protocol    = "TCP"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "internal" {
  for_each = local.ports

  load_balancer_arn = aws_lb.internal[0].arn
  port              = each.value
  protocol          = "TCP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.internal[each.key].arn
  }
}
