# VPC endpoints: calls from the hosts to AWS services do not leave the VPC.

locals {
  interface_endpoints = toset([
    "ec2messages", "ecr.api", "ecr.dkr", "logs", "monitoring", "secretsmanager", "sqs", "ssm",
    "ssmmessages", "sts",
  ])

  # An endpoint policy grants nothing: callers still need their own permissions.
  this_account_only = {
    Version = "2012-10-17"
    Statement = [{
      Sid       = "EndpointForThisAccount"
      Effect    = "Allow"
      Principal = "*"
      Action    = "*"
      Resource  = "*"
      Condition = { StringEquals = { "aws:PrincipalAccount" = var.context.account_id } }
    }]
  }

  these_buckets_only = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "EndpointForOwnBuckets"
        Effect    = "Allow"
        Principal = "*"
        Action    = "s3:*"
        Resource  = flatten([for name in var.buckets : ["arn:${var.context.partition}:s3:::${name}", "arn:${var.context.partition}:s3:::${name}/*"]])
        Condition = { StringEquals = { "aws:PrincipalAccount" = var.context.account_id } }
      },
      {
        # AWS's own buckets with ECR image layers and Amazon Linux packages.
        Sid       = "EndpointForLayersAndPackages"
        Effect    = "Allow"
        Principal = "*"
        Action    = "s3:GetObject"
        Resource = [
          "arn:${var.context.partition}:s3:::prod-${var.context.region}-starport-layer-bucket/*",
          "arn:${var.context.partition}:s3:::al2023-repos-${var.context.region}-de612dc2/*",
        ]
      },
    ]
  }
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.context.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = aws_route_table.private[*].id
  policy            = jsonencode(local.these_buckets_only)

  tags = { Name = "${local.name}-s3" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interface_endpoints

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${var.context.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = slice(aws_subnet.private[*].id, 0, var.endpoint_zones)
  security_group_ids  = [aws_security_group.endpoints.id]
  policy              = jsonencode(local.this_account_only)

  tags = { Name = "${local.name}-${each.key}" }
}

resource "aws_security_group" "endpoints" {
  name        = "${local.name}-endpoints"
  description = "Interface endpoints: HTTPS from the private subnets."
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${local.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count = 2

  security_group_id = aws_security_group.endpoints.id
  description       = "HTTPS from private subnet ${count.index + 1}"
  cidr_ipv4         = aws_subnet.private[count.index].cidr_block
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
