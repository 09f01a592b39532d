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

run "assigns_no_public_addresses" {
  command = plan

  assert {
    condition     = !anytrue([for subnet in concat(aws_subnet.private[*], aws_subnet.public[*]) : subnet.map_public_ip_on_launch])
    error_message = "No subnet may assign public IP addresses."
  }

  assert {
    condition     = length(aws_route.nat) == 2 && alltrue([for route in aws_route.nat : route.gateway_id == null])
    error_message = "Private subnets must route to a NAT gateway, never to the internet gateway."
  }

  assert {
    condition     = [for subnet in aws_subnet.private : subnet.availability_zone] == ["eu-west-2a", "eu-west-2b"]
    error_message = "The private subnets must be in the first two Availability Zones by name."
  }

  assert {
    condition     = length(distinct(concat(aws_subnet.private[*].cidr_block, aws_subnet.public[*].cidr_block))) == 4
    error_message = "The four subnets must not overlap."
  }
}

run "allows_only_https_to_the_endpoints" {
  command = plan

  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints[0].from_port == 443 && aws_vpc_security_group_ingress_rule.endpoints[0].to_port == 443
    error_message = "Endpoints must accept only HTTPS."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.endpoints : startswith(rule.cidr_ipv4, "10.20.")])
    error_message = "Endpoints must accept connections only from the private subnets."
  }
}

run "keeps_calls_to_aws_inside_the_vpc" {
  command = plan

  assert {
    condition = alltrue([
      for service in ["ssm", "ssmmessages", "ec2messages", "secretsmanager", "ecr.api", "ecr.dkr", "logs", "sts"] :
      contains(keys(aws_vpc_endpoint.interface), service)
    ])
    error_message = "SSM, Secrets Manager, ECR, CloudWatch Logs and STS must have endpoints."
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled])
    error_message = "Without private DNS the endpoints would not be used."
  }

  assert {
    condition     = strcontains(aws_vpc_endpoint.s3.policy, "wandle-dev-lake-123456789012") && !strcontains(aws_vpc_endpoint.s3.policy, "\"Resource\":\"*\"")
    error_message = "The S3 endpoint must allow the environment's bucket and not every bucket."
  }
}

run "logs_every_connection_encrypted" {
  command = plan

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL"
    error_message = "Both rejected and accepted connections must be logged."
  }

  assert {
    condition     = aws_cloudwatch_log_group.flow.kms_key_id == var.key_arn
    error_message = "Flow logs must be encrypted with the environment's key."
  }

  assert {
    condition     = aws_iam_role.flow.permissions_boundary == var.boundary_arn
    error_message = "Every role must have the permissions boundary."
  }
}

run "gives_each_zone_its_own_nat_gateway_on_request" {
  command = plan

  variables {
    nat_gateways   = 2
    endpoint_zones = 2
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 2 && length(aws_route.nat) == 2
    error_message = "With two NAT gateways, each Availability Zone must have its own."
  }
}

run "refuses_an_invalid_cidr" {
  command = plan

  variables {
    cidr = "10.20.0.0/33"
  }

  expect_failures = [var.cidr]
}

run "refuses_a_public_cidr" {
  command = plan

  variables {
    cidr = "8.8.0.0/16"
  }

  expect_failures = [var.cidr]
}

run "refuses_a_cidr_too_small_for_two_zones" {
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
