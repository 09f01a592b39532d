# Permissions for deploying and planning. tests/infra/wildcards.py gives the reason for every wildcard.

locals {
  here = { StringEquals = { "aws:RequestedRegion" = var.region } }

  plan_statements = [
    {
      Sid    = "LookAtSetUp"
      Effect = "Allow"
      Action = [
        "autoscaling:Describe*", "budgets:ListTagsForResource", "budgets:ViewBudget", "cloudfront:Get*",
        "cloudfront:ListTagsForResource", "cloudwatch:DescribeAlarms", "cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource", "ec2:Describe*", "ecr:Describe*",
        "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource", "elasticloadbalancing:Describe*",
        "iam:Get*", "iam:List*", "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListAliases",
        "kms:ListResourceTags", "lambda:GetFunction*", "lambda:GetPolicy", "lambda:List*", "logs:DescribeLogGroups",
        "logs:GetDelivery*", "logs:ListTagsForResource", "rds:Describe*", "rds:ListTagsForResource", "scheduler:GetSchedule",
        "scheduler:ListTagsForResource", "secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy",
        "sns:Get*", "sns:ListTagsForResource", "sqs:GetQueueAttributes", "sqs:ListQueueTags",
      ]
      Resource = "*"
    },
    {
      Sid    = "LookAtBuckets"
      Effect = "Allow"
      Action = [
        "s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
        "s3:GetReplicationConfiguration", "s3:ListBucket",
      ]
      Resource = "arn:${local.partition}:s3:::wandle-*"
    },
    {
      Sid      = "FindAmazonLinux"
      Effect   = "Allow"
      Action   = ["ssm:GetParameters", "ssm:GetParameter"]
      Resource = "arn:${local.partition}:ssm:${var.region}::parameter/aws/service/ami-amazon-linux-latest/*"
    },
    {
      Sid      = "ReadState"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = "${local.state_arn}/wandle/*"
    },
    {
      Sid       = "ReadStateWithKey"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = aws_kms_key.this.arn
      Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
    },
  ]

  # A policy of its own, because the other one is close to the size that IAM allows.
  website_statements = {
    for name in var.environments : name => [
      {
        Sid       = "MakeWebsite"
        Effect    = "Allow"
        Action    = ["cloudfront:CreateDistribution", "cloudfront:TagResource"]
        Resource  = "arn:${local.partition}:cloudfront::${local.account}:distribution/*"
        Condition = { StringEquals = { "aws:RequestTag/Environment" = name } }
      },
      {
        Sid    = "ManageOwnWebsite"
        Effect = "Allow"
        Action = [
          "cloudfront:AllowVendedLogDeliveryForResource", "cloudfront:DeleteDistribution", "cloudfront:TagResource",
          "cloudfront:UntagResource", "cloudfront:UpdateDistribution",
        ]
        Resource  = "arn:${local.partition}:cloudfront::${local.account}:distribution/*"
        Condition = { StringEquals = { "aws:ResourceTag/Environment" = name } }
      },
      {
        Sid    = "ManagePartsOfWebsites"
        Effect = "Allow"
        Action = [
          "cloudfront:CreateOriginAccessControl", "cloudfront:DeleteOriginAccessControl", "cloudfront:UpdateOriginAccessControl",
          "cloudfront:CreateResponseHeadersPolicy", "cloudfront:DeleteResponseHeadersPolicy", "cloudfront:UpdateResponseHeadersPolicy",
        ]
        Resource = [
          "arn:${local.partition}:cloudfront::${local.account}:origin-access-control/*",
          "arn:${local.partition}:cloudfront::${local.account}:response-headers-policy/*",
        ]
      },
      {
        Sid    = "DeliverAccessLogs"
        Effect = "Allow"
        Action = ["logs:DeleteDelivery*", "logs:PutDelivery*", "logs:TagResource", "logs:UntagResource"]
        Resource = [
          "arn:${local.partition}:logs:us-east-1:${local.account}:delivery-destination:wandle-${name}-website",
          "arn:${local.partition}:logs:us-east-1:${local.account}:delivery-source:wandle-${name}-website",
        ]
      },
      {
        Sid    = "ConnectAccessLogs"
        Effect = "Allow"
        Action = ["logs:CreateDelivery", "logs:DeleteDelivery", "logs:TagResource", "logs:UntagResource", "logs:UpdateDeliveryConfiguration"]
        Resource = [
          "arn:${local.partition}:logs:us-east-1:${local.account}:delivery:*",
          "arn:${local.partition}:logs:us-east-1:${local.account}:delivery-destination:wandle-${name}-website",
          "arn:${local.partition}:logs:us-east-1:${local.account}:delivery-source:wandle-${name}-website",
        ]
      },
    ]
  }

  deploy_statements = {
    for name in var.environments : name => [
      {
        Sid       = "BuildNetworkAndHosts"
        Effect    = "Allow"
        Action    = ["autoscaling:*", "ec2:*", "elasticloadbalancing:*"]
        Resource  = "*"
        Condition = local.here
      },
      {
        Sid      = "LeaveOthersAlone"
        Effect   = "Deny"
        Action   = ["autoscaling:*", "ec2:*", "elasticloadbalancing:*", "kms:*"]
        Resource = "*"
        Condition = {
          Null            = { "aws:ResourceTag/Environment" = "false" }
          StringNotEquals = { "aws:ResourceTag/Environment" = [name, "shared"] }
        }
      },
      {
        Sid    = "BuildNamed"
        Effect = "Allow"
        Action = ["cloudwatch:*", "lambda:*", "logs:*", "rds:*", "s3:*", "scheduler:*", "sns:*", "sqs:*", "budgets:*"]
        Resource = [
          "arn:${local.partition}:budgets::${local.account}:budget/wandle-${name}",
          "arn:${local.partition}:cloudwatch::${local.account}:dashboard/wandle-${name}",
          "arn:${local.partition}:cloudwatch:${var.region}:${local.account}:alarm:wandle-${name}-*",
          "arn:${local.partition}:lambda:${var.region}:${local.account}:function:wandle-${name}-*",
          "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/aws/rds/instance/wandle-${name}/*",
          "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/wandle/${name}/*",
          "arn:${local.partition}:rds:${var.region}:${local.account}:db:wandle-${name}",
          "arn:${local.partition}:rds:${var.region}:${local.account}:pg:wandle-${name}-*",
          "arn:${local.partition}:rds:${var.region}:${local.account}:snapshot:wandle-${name}-*",
          "arn:${local.partition}:rds:${var.region}:${local.account}:subgrp:wandle-${name}",
          "arn:${local.partition}:s3:::wandle-${name}-access-logs-${local.account}",
          "arn:${local.partition}:s3:::wandle-${name}-access-logs-${local.account}/*",
          "arn:${local.partition}:s3:::wandle-${name}-lake-${local.account}",
          "arn:${local.partition}:scheduler:${var.region}:${local.account}:schedule/default/wandle-${name}-*",
          "arn:${local.partition}:sns:${var.region}:${local.account}:wandle-${name}-*",
          "arn:${local.partition}:sqs:${var.region}:${local.account}:wandle-${name}-inbox-*",
        ]
      },
      {
        Sid    = "BuildSecretsWithoutReading"
        Effect = "Allow"
        Action = [
          "secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret",
          "secretsmanager:RestoreSecret", "secretsmanager:TagResource", "secretsmanager:UntagResource", "secretsmanager:UpdateSecret",
        ]
        Resource = [
          "arn:${local.partition}:secretsmanager:${var.region}:${local.account}:secret:wandle/${name}/*",
          # RDS creates the admin secret with the permissions of whoever creates the database.
          "arn:${local.partition}:secretsmanager:${var.region}:${local.account}:secret:rds!db-*",
        ]
      },
      {
        Sid      = "MakeKeys"
        Effect   = "Allow"
        Action   = ["kms:CreateKey"]
        Resource = "*"
        Condition = { StringEquals = {
          "aws:RequestedRegion"        = var.region
          "aws:RequestTag/Environment" = name
        } }
      },
      {
        Sid    = "ManageOwnKeys"
        Effect = "Allow"
        Action = [
          "kms:CreateGrant", "kms:EnableKeyRotation", "kms:GenerateDataKey", "kms:Decrypt", "kms:PutKeyPolicy",
          "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateKeyDescription",
          "kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias",
        ]
        Resource  = "arn:${local.partition}:kms:${var.region}:${local.account}:key/*"
        Condition = { StringEquals = { "aws:ResourceTag/Environment" = name } }
      },
      {
        Sid      = "ManageOwnAlias"
        Effect   = "Allow"
        Action   = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
        Resource = "arn:${local.partition}:kms:${var.region}:${local.account}:alias/wandle-${name}"
      },
      {
        Sid       = "MakeRolesUnderTheBoundary"
        Effect    = "Allow"
        Action    = ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:DeleteRolePolicy"]
        Resource  = "arn:${local.partition}:iam::${local.account}:role/wandle-${name}-*"
        Condition = { StringEquals = { "iam:PermissionsBoundary" = aws_iam_policy.boundary.arn } }
      },
      {
        Sid    = "ManageOwnRoles"
        Effect = "Allow"
        Action = [
          "iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:DeleteRole",
          "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "iam:TagRole", "iam:UntagInstanceProfile",
          "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
        ]
        Resource = [
          "arn:${local.partition}:iam::${local.account}:instance-profile/wandle-${name}-*",
          "arn:${local.partition}:iam::${local.account}:role/wandle-${name}-*",
        ]
      },
      {
        Sid      = "HandRolesToServices"
        Effect   = "Allow"
        Action   = ["iam:PassRole"]
        Resource = "arn:${local.partition}:iam::${local.account}:role/wandle-${name}-*"
        Condition = { StringEquals = { "iam:PassedToService" = [
          "ec2.amazonaws.com", "lambda.amazonaws.com", "monitoring.rds.amazonaws.com", "scheduler.amazonaws.com", "vpc-flow-logs.amazonaws.com",
        ] } }
      },
      {
        Sid      = "MakeServiceLinkedRoles"
        Effect   = "Allow"
        Action   = ["iam:CreateServiceLinkedRole"]
        Resource = "arn:${local.partition}:iam::${local.account}:role/aws-service-role/*"
        Condition = { StringEquals = { "iam:AWSServiceName" = [
          "autoscaling.amazonaws.com", "elasticloadbalancing.amazonaws.com", "rds.amazonaws.com",
        ] } }
      },
      {
        Sid    = "PushImages"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer",
          "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
        ]
        Resource = [for repository in aws_ecr_repository.this : repository.arn]
      },
      {
        Sid      = "LogInToRegistry"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = "*"
      },
      {
        Sid       = "RunOnOwnHosts"
        Effect    = "Allow"
        Action    = ["ssm:SendCommand"]
        Resource  = "arn:${local.partition}:ec2:${var.region}:${local.account}:instance/*"
        Condition = { StringEquals = { "ssm:resourceTag/Environment" = name, "ssm:resourceTag/Project" = "wandle" } }
      },
      {
        Sid      = "RunShellScripts"
        Effect   = "Allow"
        Action   = ["ssm:SendCommand"]
        Resource = "arn:${local.partition}:ssm:${var.region}::document/AWS-RunShellScript"
      },
      {
        Sid       = "SeeWhatRan"
        Effect    = "Allow"
        Action    = ["ssm:GetCommandInvocation", "ssm:ListCommandInvocations"]
        Resource  = "*"
        Condition = local.here
      },
      {
        Sid    = "WriteOwnState"
        Effect = "Allow"
        Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
        Resource = [
          "${local.state_arn}/wandle/${name}.tfstate",
          "${local.state_arn}/wandle/${name}.tfstate.tflock",
        ]
      },
      {
        Sid       = "WriteStateWithKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = aws_kms_key.this.arn
        Condition = { StringEquals = { "kms:ViaService" = ["s3.${var.region}.amazonaws.com", "ecr.${var.region}.amazonaws.com"] } }
      },
    ]
  }
}
