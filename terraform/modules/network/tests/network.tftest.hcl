mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-west-2c", "eu-west-2a", "eu-west-2b"] }
  }
}

variables {
  context = {
    environment = "dev"
    account_id  = "123456789012"
    region      = "eu-west-2"
    partition   = "aws"
  }

  boundary_arn   = "arn:aws:iam::123456789012:policy/wandle-boundary"
  key_arn        = "arn:aws:kms:eu-west-2:123456789012:key/1"
  cidr           = "10.20.0.0/16"
  nat_gateways   = 1
  endpoint_zones = 1
  buckets        = ["wandle-dev-lake-123456789012"]
}

run "gives_nothing_a_public_address" {
  command = plan

  assert {
    condition     = !anytrue([for subnet in concat(aws_subnet.private[*], aws_subnet.public[*]) : subnet.map_public_ip_on_launch])
    error_message = "No subnet may hand out public addresses."
  }

  assert {
    condition     = length(aws_route.nat) == 2 && alltrue([for route in aws_route.nat : route.gateway_id == null])
    error_message = "Private subnets must leave by NAT, never by the internet gateway."
  }

  assert {
    condition     = [for subnet in aws_subnet.private : subnet.availability_zone] == ["eu-west-2a", "eu-west-2b"]
    error_message = "The two private subnets must be in two zones, the same ones every time."
  }

  assert {
    condition     = length(distinct(concat(aws_subnet.private[*].cidr_block, aws_subnet.public[*].cidr_block))) == 4
    error_message = "The four subnets must not overlap."
  }
}

run "lets_nobody_talk_by_default" {
  command = plan

  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints[0].from_port == 443 && aws_vpc_security_group_ingress_rule.endpoints[0].to_port == 443
    error_message = "Endpoints take HTTPS alone."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.endpoints : startswith(rule.cidr_ipv4, "10.20.")])
    error_message = "Endpoints are for the private subnets alone."
  }
}

run "keeps_calls_to_aws_inside" {
  command = plan

  assert {
    condition = alltrue([
      for service in ["ssm", "ssmmessages", "ec2messages", "secretsmanager", "ecr.api", "ecr.dkr", "logs", "sts"] :
      contains(keys(aws_vpc_endpoint.interface), service)
    ])
    error_message = "SSM, Secrets Manager, ECR, logs and STS need endpoints."
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled])
    error_message = "Without private DNS the endpoints are not used."
  }

  assert {
    condition     = strcontains(aws_vpc_endpoint.s3.policy, "wandle-dev-lake-123456789012") && !strcontains(aws_vpc_endpoint.s3.policy, "\"Resource\":\"*\"")
    error_message = "The S3 endpoint lets through the environment's own bucket, not every bucket."
  }
}

run "logs_every_connection_under_the_key" {
  command = plan

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL"
    error_message = "Refused and accepted connections are logged."
  }

  assert {
    condition     = aws_cloudwatch_log_group.flow.kms_key_id == var.key_arn
    error_message = "The flow log is encrypted with the environment's key."
  }

  assert {
    condition     = aws_iam_role.flow.permissions_boundary == var.boundary_arn
    error_message = "Every role is under the boundary."
  }
}

run "gives_each_zone_its_own_way_out_if_asked" {
  command = plan

  variables {
    nat_gateways   = 2
    endpoint_zones = 2
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 2 && length(aws_route.nat) == 2
    error_message = "With two NAT gateways each zone has its own."
  }
}

run "refuses_what_is_no_address_range" {
  command = plan

  variables {
    cidr = "10.20.0.0/33"
  }

  expect_failures = [var.cidr]
}

run "refuses_a_public_address_range" {
  command = plan

  variables {
    cidr = "8.8.0.0/16"
  }

  expect_failures = [var.cidr]
}

run "refuses_a_range_too_small_for_two_zones" {
  command = plan

  variables {
    cidr = "10.20.0.0/24"
  }

  expect_failures = [var.cidr]
}

run "refuses_a_third_nat_gateway" {
  command = plan

  variables {
    nat_gateways = 3
  }

  expect_failures = [var.nat_gateways]
}
