mock_provider "aws" {}

variables {
  context = {
    environment = "dev"
    account_id  = "123456789012"
    region      = "eu-west-2"
    partition   = "aws"
  }

  key_arn                     = "arn:aws:kms:eu-west-2:123456789012:key/1"
  vpc_id                      = "vpc-1"
  private_subnet_ids          = ["subnet-1", "subnet-2"]
  public_subnet_ids           = ["subnet-3", "subnet-4"]
  instance_type               = "t4g.xlarge"
  disk_gb                     = 50
  instance_profile_arn        = "arn:aws:iam::123456789012:instance-profile/wandle-dev-host"
  image                       = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/wandle@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  settings                    = { WANDLE_ENVIRONMENT = "dev", AIRFLOW__SECRETS__BACKEND_KWARGS = "{\"role_arn\": \"x\"}" }
  admin_secret_arn            = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:rds!db-1-abcdef"
  warehouse_security_group_id = "sg-1"
}

run "has_no_inbound_port_and_no_public_address" {
  command = plan

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.from_balancer) + length(aws_vpc_security_group_ingress_rule.from_internal) == 0
    error_message = "There must be no inbound rules."
  }

  assert {
    condition     = alltrue([for template in aws_launch_template.this : template.network_interfaces[0].associate_public_ip_address == "false"])
    error_message = "Hosts must not have a public IP address."
  }

  assert {
    condition     = alltrue([for template in aws_launch_template.this : template.key_name == null])
    error_message = "Hosts must not have an SSH key; Session Manager gives access."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.https : rule.from_port == 443 && rule.to_port == 443])
    error_message = "Outbound traffic to the internet must be limited to HTTPS."
  }
}

run "requires_imdsv2_and_encrypts_the_disk" {
  command = plan

  assert {
    condition     = alltrue([for template in aws_launch_template.this : template.metadata_options[0].http_tokens == "required" && template.metadata_options[0].http_put_response_hop_limit == 2])
    error_message = "Only IMDSv2, with a hop limit of 2 for containers."
  }

  assert {
    condition     = alltrue([for template in aws_launch_template.this : template.block_device_mappings[0].ebs[0].encrypted == "true"])
    error_message = "The root volume must be encrypted."
  }
}

run "replaces_a_failed_host_and_runs_the_latest_amazon_linux" {
  command = plan

  assert {
    condition     = aws_autoscaling_group.this["host"].min_size == 1 && aws_autoscaling_group.this["host"].max_size == 1
    error_message = "There must always be exactly one host."
  }

  assert {
    condition     = endswith(aws_launch_template.this["host"].image_id, "al2023-ami-kernel-default-arm64")
    error_message = "A Graviton host must run the latest arm64 Amazon Linux 2023."
  }
}

run "uses_the_x86_64_image_on_intel" {
  command = plan

  variables {
    instance_type = "m7i.xlarge"
  }

  assert {
    condition     = endswith(aws_launch_template.this["host"].image_id, "al2023-ami-kernel-default-x86_64")
    error_message = "An Intel host must run the x86-64 image."
  }
}

run "pins_the_image_by_digest" {
  command = plan

  assert {
    condition     = strcontains(local.user_data["host"], "IMAGE='${var.image}'") && strcontains(local.user_data["host"], "WANDLE_ENVIRONMENT='dev'")
    error_message = "User data must contain the image with its digest, and the settings."
  }

  assert {
    condition     = length(local.user_data["host"]) < 16384
    error_message = "EC2 limits user data to 16 KB."
  }
}

run "listens_only_on_the_loopback_address_by_default" {
  command = plan

  assert {
    condition     = strcontains(local.user_data["host"], "WANDLE_LISTEN='127.0.0.1'")
    error_message = "Without a load balancer, Airflow must be reachable only through Session Manager."
  }

  assert {
    condition     = strcontains(local.user_data["host"], "WANDLE_LISTEN_BROKER='127.0.0.1'")
    error_message = "Without worker hosts, the broker must be reachable only from the host itself."
  }
}

run "stops_and_starts_on_a_schedule" {
  command = plan

  variables {
    nightly_stop = { stop = "0 19 * * *", start = "0 7 * * MON-FRI" }
  }

  assert {
    condition     = aws_autoscaling_schedule.stop["host"].desired_capacity == 0 && aws_autoscaling_schedule.start["host"].desired_capacity == 1
    error_message = "The host must stop in the evening and start in the morning."
  }

  assert {
    condition     = aws_autoscaling_group.this["host"].min_size == 0
    error_message = "A minimum size of 1 would prevent the host from stopping."
  }
}

run "adds_workers_that_reach_only_the_host" {
  command = plan

  override_resource {
    target          = aws_lb.internal
    override_during = plan
    values          = { dns_name = "internal.elb.test", arn = "arn:aws:elasticloadbalancing:eu-west-2:123456789012:loadbalancer/net/internal/1" }
  }

  variables {
    workers = 2
  }

  assert {
    condition     = aws_autoscaling_group.this["worker"].max_size == 2
    error_message = "The two workers must have their own Auto Scaling group."
  }

  assert {
    condition     = aws_lb.internal[0].internal && length(aws_vpc_security_group_ingress_rule.from_internal) == 2
    error_message = "Workers must reach Airflow's API and the broker through an internal load balancer."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.internal : rule.cidr_ipv4 == null])
    error_message = "Only the workers' security group may reach the internal load balancer."
  }

  assert {
    condition     = strcontains(local.user_data["host"], "WANDLE_LISTEN_BROKER='0.0.0.0'") && strcontains(local.user_data["host"], "WANDLE_HOST=''")
    error_message = "The host must expose the broker to its workers, and use its own broker directly."
  }

  assert {
    condition     = strcontains(local.user_data["worker"], "WANDLE_HOST='internal.elb.test'")
    error_message = "A worker must reach the host through the load balancer."
  }
}

run "does_not_expose_the_broker_to_the_public_load_balancer" {
  command = plan

  variables {
    public             = { hostname = "wandle.example.gov.uk", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/1", allowed_cidrs = ["192.0.2.0/24"] }
    access_logs_bucket = "wandle-dev-access-logs-123456789012"
  }

  assert {
    condition     = strcontains(local.user_data["host"], "WANDLE_LISTEN='0.0.0.0'") && strcontains(local.user_data["host"], "WANDLE_LISTEN_BROKER='127.0.0.1'")
    error_message = "The public load balancer must reach Airflow and not the broker."
  }
}

run "serves_only_https_to_the_allowed_addresses" {
  command = plan

  variables {
    public             = { hostname = "wandle.example.gov.uk", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/1", allowed_cidrs = ["192.0.2.0/24"] }
    access_logs_bucket = "wandle-dev-access-logs-123456789012"
  }

  assert {
    condition     = aws_lb_listener.public["this"].protocol == "HTTPS" && aws_lb_listener.public["this"].port == 443
    error_message = "The listener must be HTTPS on port 443."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.balancer) == 1 && aws_lb.public["this"].enable_deletion_protection
    error_message = "There must be one inbound rule per allowed CIDR block, and deletion protection by default."
  }
}

run "refuses_access_from_anywhere" {
  command = plan

  variables {
    public = { hostname = "wandle.example.gov.uk", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/1", allowed_cidrs = ["0.0.0.0/0"] }
  }

  expect_failures = [var.public]
}

run "refuses_an_image_tag" {
  command = plan

  variables {
    image = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/wandle:latest"
  }

  expect_failures = [var.image]
}

run "refuses_an_unknown_instance_type" {
  command = plan

  variables {
    instance_type = "t4g.gigantic"
  }

  expect_failures = [var.instance_type]
}

run "refuses_a_setting_with_a_quote" {
  command = plan

  variables {
    settings = { WANDLE_BUCKET = "a' && reboot '" }
  }

  expect_failures = [var.settings]
}

run "runs_no_read_api_by_default" {
  command = plan

  variables {
    public             = { hostname = "wandle.example.gov.uk", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/1", allowed_cidrs = ["192.0.2.0/24"] }
    access_logs_bucket = "wandle-dev-access-logs-123456789012"
  }

  assert {
    condition     = length(aws_lb_target_group.api) + length(aws_lb_listener_rule.api) + length(aws_vpc_security_group_ingress_rule.api_from_balancer) == 0
    error_message = "Only a person may decide that there is a read API."
  }

  assert {
    condition     = strcontains(local.user_data["host"], "API_IMAGE=''") && !strcontains(local.user_data["host"], "COMPOSE_PROFILES")
    error_message = "The host must not start the API."
  }
}

run "serves_the_read_api_under_its_own_name_to_the_same_addresses" {
  command = plan

  override_resource {
    target          = aws_lb.internal
    override_during = plan
    values          = { dns_name = "internal.elb.test", arn = "arn:aws:elasticloadbalancing:eu-west-2:123456789012:loadbalancer/net/internal/1" }
  }

  variables {
    public             = { hostname = "wandle.example.gov.uk", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/1", allowed_cidrs = ["192.0.2.0/24"] }
    access_logs_bucket = "wandle-dev-access-logs-123456789012"
    workers            = 1
    api                = { hostname = "api.example.gov.uk", image = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/wandle-api@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", per_second = 20, with_keys = true }
  }

  assert {
    condition     = one(one(aws_lb_listener_rule.api["this"].condition).host_header).values == toset(["api.example.gov.uk"])
    error_message = "The load balancer must tell the API from Airflow by the host name."
  }

  assert {
    condition     = aws_lb_target_group.api["this"].port == 8000 && aws_lb_target_group.api["this"].health_check[0].path == "/readyz"
    error_message = "A host without a version must get no requests."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.api_from_balancer["this"].cidr_ipv4 == null && aws_vpc_security_group_ingress_rule.api_from_balancer["this"].from_port == 8000
    error_message = "Only the load balancer may reach the API."
  }

  assert {
    condition = alltrue([
      for line in ["API_IMAGE='${var.api.image}'", "COMPOSE_PROFILES='api'", "WANDLE_LISTEN_API='0.0.0.0'", "WANDLE_API_RATE='20'", "WANDLE_API_WITH_KEYS='--keys'", "WANDLE_API_WORKERS='1'"] :
      strcontains(local.user_data["host"], line)
    ])
    error_message = "The host must start the API with these settings."
  }

  assert {
    condition     = !strcontains(local.user_data["worker"], "COMPOSE_PROFILES") && strcontains(local.user_data["worker"], "API_IMAGE=''")
    error_message = "The API must run on the main host alone."
  }

  assert {
    condition     = length(aws_lb_listener_certificate.api) == 0 && length(local.user_data["host"]) < 16384
    error_message = "Without a certificate of its own, that of Airflow must serve; EC2 limits user data to 16 KB."
  }
}

run "serves_the_read_api_with_a_certificate_of_its_own" {
  command = plan

  variables {
    public             = { hostname = "wandle.example.gov.uk", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/1", allowed_cidrs = ["192.0.2.0/24"] }
    access_logs_bucket = "wandle-dev-access-logs-123456789012"
    api                = { hostname = "api.example.gov.uk", image = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/wandle-api@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/2" }
  }

  assert {
    condition     = aws_lb_listener_certificate.api["this"].certificate_arn == "arn:aws:acm:eu-west-2:123456789012:certificate/2"
    error_message = "The listener must have the API's certificate, too."
  }
}

run "refuses_the_read_api_without_the_load_balancer" {
  command = plan

  variables {
    api = { hostname = "api.example.gov.uk", image = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/wandle-api@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  }

  expect_failures = [var.api]
}

run "refuses_the_read_api_under_the_name_of_airflow" {
  command = plan

  variables {
    public             = { hostname = "wandle.example.gov.uk", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/1", allowed_cidrs = ["192.0.2.0/24"] }
    access_logs_bucket = "wandle-dev-access-logs-123456789012"
    api                = { hostname = "wandle.example.gov.uk", image = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/wandle-api@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  }

  expect_failures = [var.api]
}

run "refuses_a_tag_of_the_read_api" {
  command = plan

  variables {
    public             = { hostname = "wandle.example.gov.uk", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/1", allowed_cidrs = ["192.0.2.0/24"] }
    access_logs_bucket = "wandle-dev-access-logs-123456789012"
    api                = { hostname = "api.example.gov.uk", image = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/wandle-api:latest" }
  }

  expect_failures = [var.api]
}
