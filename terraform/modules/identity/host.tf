# The role of the EC2 hosts: assume job roles, plus the minimum that an instance needs.

locals {
  host_statements = [
    {
      Sid      = "BecomeJob"
      Effect   = "Allow"
      Action   = ["sts:AssumeRole"]
      Resource = [for job in keys(local.jobs) : "${local.arn.role}-${job}"]
    },
    {
      Sid      = "PullImage"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = compact([var.repository_arn, var.api_repository_arn])
    },
    {
      Sid      = "LogInToRegistry"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = "*"
    },
    {
      Sid    = "BeReachedBySessionManager"
      Effect = "Allow"
      Action = [
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
        "ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage",
        "ec2messages:GetEndpoint", "ec2messages:GetMessages", "ec2messages:SendReply",
      ]
      Resource = "*"
    },
    {
      Sid      = "WriteHostLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
      Resource = ["${local.arn.logs}/host:*", "${local.arn.logs}/containers:*"]
    },
    {
      Sid       = "PutHostMetrics"
      Effect    = "Allow"
      Action    = ["cloudwatch:PutMetricData"]
      Resource  = "*"
      Condition = { StringEquals = { "cloudwatch:namespace" = "Wandle/Host" } }
    },
  ]
}

resource "aws_iam_role" "host" {
  name                 = "${local.name}-host"
  description          = "EC2 hosts: assumes the job roles"
  permissions_boundary = var.boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "InstancesOnly"
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "host" {
  name = "host"
  role = aws_iam_role.host.name

  policy = jsonencode({ Version = "2012-10-17", Statement = local.host_statements })
}

resource "aws_iam_instance_profile" "host" {
  name = "${local.name}-host"
  role = aws_iam_role.host.name
}
