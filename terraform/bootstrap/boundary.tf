# Permissions boundary: the maximum permissions of every Wandle role, whatever its policies say. It grants
# nothing itself. A deployment role can create roles only with this boundary and cannot change it.

locals {
  boundary = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "BoundaryObjects"
        Effect = "Allow"
        Action = [
          "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion",
          "s3:AbortMultipartUpload", "s3:ListBucket", "s3:ListBucketVersions",
          "s3:GetBucketLocation", "s3:GetBucketPolicy", "s3:GetBucketPolicyStatus", "s3:GetBucketVersioning",
          "s3:GetBucketPublicAccessBlock", "s3:GetBucketOwnershipControls", "s3:GetBucketLogging",
          "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
        ]
        Resource = flatten([for name in var.environments : [
          "arn:${local.partition}:s3:::wandle-${name}-lake-${local.account}",
          "arn:${local.partition}:s3:::wandle-${name}-lake-${local.account}/*",
        ]])
      },
      {
        Sid    = "BoundarySecrets"
        Effect = "Allow"
        Action = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret", "secretsmanager:PutSecretValue"]
        Resource = [
          "arn:${local.partition}:secretsmanager:*:${local.account}:secret:wandle/*",
          "arn:${local.partition}:secretsmanager:*:${local.account}:secret:rds!db-*",
        ]
      },
      {
        Sid      = "BoundaryKeys"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = "arn:${local.partition}:kms:*:${local.account}:key/*"
      },
      {
        Sid      = "BoundaryJobs"
        Effect   = "Allow"
        Action   = ["sts:AssumeRole", "iam:GetRole"]
        Resource = "arn:${local.partition}:iam::${local.account}:role/wandle-*"
      },
      {
        Sid      = "BoundaryImages"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = [for name in ["wandle", "wandle-api"] : "arn:${local.partition}:ecr:*:${local.account}:repository/${name}"]
      },
      {
        Sid    = "BoundaryLogs"
        Effect = "Allow"
        Action = [
          "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:GetLogEvents",
          "logs:PutLogEvents", "logs:PutRetentionPolicy",
        ]
        Resource = [
          "arn:${local.partition}:logs:*:${local.account}:log-group:/wandle/*",
          "arn:${local.partition}:logs:*:${local.account}:log-group:RDSOSMetrics*",
        ]
      },
      {
        Sid    = "BoundaryDatabase"
        Effect = "Allow"
        Action = ["rds:DescribeDBInstances", "rds:DescribeDBParameters", "rds:StopDBInstance", "rds:StartDBInstance"]
        Resource = [
          "arn:${local.partition}:rds:*:${local.account}:db:wandle-*",
          "arn:${local.partition}:rds:*:${local.account}:pg:wandle-*",
        ]
      },
      {
        Sid    = "BoundaryFunctionsAndAlerts"
        Effect = "Allow"
        Action = ["lambda:InvokeFunction", "sns:Publish"]
        Resource = [
          "arn:${local.partition}:lambda:*:${local.account}:function:wandle-*",
          "arn:${local.partition}:sns:*:${local.account}:wandle-*",
        ]
      },
      {
        Sid      = "BoundaryEvents"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
        Resource = "arn:${local.partition}:sqs:*:${local.account}:wandle-*"
      },
      {
        Sid      = "BoundaryWebsite"
        Effect   = "Allow"
        Action   = ["cloudfront:CreateInvalidation"]
        Resource = "arn:${local.partition}:cloudfront::${local.account}:distribution/*"
      },
      {
        Sid       = "BoundaryMetrics"
        Effect    = "Allow"
        Action    = ["cloudwatch:PutMetricData"]
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = ["Wandle", "Wandle/Host"] } }
      },
      {
        Sid    = "BoundaryWithoutResource"
        Effect = "Allow"
        Action = [
          "ecr:GetAuthorizationToken", "xray:PutTraceSegments", "xray:PutTelemetryRecords", "ssm:UpdateInstanceInformation",
          "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
          "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
          "ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage",
          "ec2messages:GetEndpoint", "ec2messages:GetMessages", "ec2messages:SendReply",
        ]
        Resource = "*"
      },
    ]
  }
}

resource "aws_iam_policy" "boundary" {
  # checkov:skip=CKV_AWS_290:A boundary grants nothing; the actions with resource * do not support resources (BoundaryWithoutResource)
  # checkov:skip=CKV_AWS_355:A boundary grants nothing; the actions with resource * do not support resources (BoundaryWithoutResource)
  name        = "wandle-boundary"
  description = "How far any role of Wandle may ever go"
  policy      = jsonencode(local.boundary)
}
