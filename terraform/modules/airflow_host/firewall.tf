# Inbound: only from the load balancers. No SSH: Session Manager needs no inbound port.

resource "aws_security_group" "this" {
  for_each = local.groups

  name        = "${local.name}-${each.key}"
  description = "Wandle ${each.key}: out to HTTPS and PostgreSQL."
  vpc_id      = var.vpc_id

  tags = { Name = "${local.name}-${each.key}" }
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = local.groups

  security_group_id = aws_security_group.this[each.key].id
  description       = "HTTPS: the public APIs, AWS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "warehouse" {
  for_each = local.groups

  security_group_id            = aws_security_group.this[each.key].id
  description                  = "PostgreSQL"
  referenced_security_group_id = var.warehouse_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}
