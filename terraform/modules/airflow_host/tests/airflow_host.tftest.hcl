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

run "opens_no_port_and_has_no_public_address" {
  command = plan

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.from_balancer) + length(aws_vpc_security_group_ingress_rule.from_internal) == 0
    error_message = "Nothing may come in."
  }

  assert {
    condition     = alltrue([for template in aws_launch_template.this : template.network_interfaces[0].associate_public_ip_address == "false"])
    error_message = "No host may have a public address."
  }

  assert {
    condition     = alltrue([for template in aws_launch_template.this : template.key_name == null])
    error_message = "There is no SSH key: Session Manager is the way in."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.https : rule.from_port == 443 && rule.to_port == 443])
    error_message = "Out goes HTTPS."
  }
}

run "asks_for_tokens_on_an_encrypted_disk" {
  command = plan

  assert {
    condition     = alltrue([for template in aws_launch_template.this : template.metadata_options[0].http_tokens == "required" && template.metadata_options[0].http_put_response_hop_limit == 2])
    error_message = "IMDSv2 alone, and no further than a container."
  }

  assert {
    condition     = alltrue([for template in aws_launch_template.this : template.block_device_mappings[0].ebs[0].encrypted == "true"])
    error_message = "The disk must be encrypted."
  }
}

run "heals_and_runs_the_newest_amazon_linux_on_graviton" {
  command = plan

  assert {
    condition     = aws_autoscaling_group.this["host"].min_size == 1 && aws_autoscaling_group.this["host"].max_size == 1
    error_message = "There is one host, always."
  }

  assert {
    condition     = endswith(aws_launch_template.this["host"].image_id, "al2023-ami-kernel-default-arm64")
    error_message = "The newest Amazon Linux 2023, for Graviton."
  }
}

run "takes_the_other_image_on_intel" {
  command = plan

  variables {
    instance_type = "m7i.xlarge"
  }

  assert {
    condition     = endswith(aws_launch_template.this["host"].image_id, "al2023-ami-kernel-default-x86_64")
    error_message = "An Intel host runs the image for x86-64."
  }
}

run "runs_the_image_by_digest" {
  command = plan

  assert {
    condition     = strcontains(local.user_data["host"], "IMAGE='${var.image}'") && strcontains(local.user_data["host"], "WANDLE_ENVIRONMENT='dev'")
    error_message = "User data names the image by its digest and holds the settings."
  }

  assert {
    condition     = length(local.user_data["host"]) < 16384
    error_message = "EC2 takes 16 KB of user data."
  }
}

run "listens_to_itself_alone_without_a_balancer" {
  command = plan

  assert {
    condition     = strcontains(local.user_data["host"], "WANDLE_LISTEN='127.0.0.1'")
    error_message = "Without a balancer nobody but Session Manager gets to Airflow."
  }

  assert {
    condition     = strcontains(local.user_data["host"], "WANDLE_LISTEN_BROKER='127.0.0.1'")
    error_message = "Without further hosts the broker is nobody else's."
  }
}

run "sleeps_if_it_is_told_when" {
  command = plan

  variables {
    nightly_stop = { stop = "0 19 * * *", start = "0 7 * * MON-FRI" }
  }

  assert {
    condition     = aws_autoscaling_schedule.stop["host"].desired_capacity == 0 && aws_autoscaling_schedule.start["host"].desired_capacity == 1
    error_message = "The host goes at night and comes back in the morning."
  }

  assert {
    condition     = aws_autoscaling_group.this["host"].min_size == 0
    error_message = "With a minimum of one it could not stop."
  }
}

run "adds_workers_that_reach_the_host_alone" {
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
    error_message = "Two workers in a group of their own."
  }

  assert {
    condition     = aws_lb.internal[0].internal && length(aws_vpc_security_group_ingress_rule.from_internal) == 2
    error_message = "Workers come by an internal balancer, to Airflow's API and the broker."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.internal : rule.cidr_ipv4 == null])
    error_message = "Only the workers' group gets to the internal balancer."
  }

  assert {
    condition     = strcontains(local.user_data["host"], "WANDLE_LISTEN_BROKER='0.0.0.0'") && strcontains(local.user_data["host"], "WANDLE_HOST=''")
    error_message = "The host lets its workers reach the broker, and reaches its own by itself."
  }

  assert {
    condition     = strcontains(local.user_data["worker"], "WANDLE_HOST='internal.elb.test'")
    error_message = "A worker finds the host by its balancer."
  }
}

run "keeps_the_broker_from_the_balancer_of_people" {
  command = plan

  variables {
    public             = { hostname = "wandle.example.gov.uk", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/1", allowed_cidrs = ["192.0.2.0/24"] }
    access_logs_bucket = "wandle-dev-access-logs-123456789012"
  }

  assert {
    condition     = strcontains(local.user_data["host"], "WANDLE_LISTEN='0.0.0.0'") && strcontains(local.user_data["host"], "WANDLE_LISTEN_BROKER='127.0.0.1'")
    error_message = "The balancer reaches Airflow, not the broker."
  }
}

run "stands_behind_tls_for_the_councils_addresses" {
  command = plan

  variables {
    public             = { hostname = "wandle.example.gov.uk", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/1", allowed_cidrs = ["192.0.2.0/24"] }
    access_logs_bucket = "wandle-dev-access-logs-123456789012"
  }

  assert {
    condition     = aws_lb_listener.public["this"].protocol == "HTTPS" && aws_lb_listener.public["this"].port == 443
    error_message = "TLS alone."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.balancer) == 1 && aws_lb.public["this"].enable_deletion_protection
    error_message = "The council's addresses alone; protected by default."
  }
}

run "refuses_to_stand_open_to_the_world" {
  command = plan

  variables {
    public = { hostname = "wandle.example.gov.uk", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/1", allowed_cidrs = ["0.0.0.0/0"] }
  }

  expect_failures = [var.public]
}

run "refuses_an_image_by_tag" {
  command = plan

  variables {
    image = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/wandle:latest"
  }

  expect_failures = [var.image]
}

run "refuses_an_unknown_size" {
  command = plan

  variables {
    instance_type = "t4g.gigantic"
  }

  expect_failures = [var.instance_type]
}

run "refuses_a_setting_that_would_break_out_of_its_quotes" {
  command = plan

  variables {
    settings = { WANDLE_BUCKET = "a' && reboot '" }
  }

  expect_failures = [var.settings]
}
