# Encrypts landings, secrets, logs and alerts. The database has its own key, because its final snapshot
# must outlive the environment and therefore this key (modules/warehouse).

locals {

  # Not an aws_iam_policy_document, so that a plan shows the whole policy.
  policy = {
    Version = "2012-10-17"
    Statement = concat([
      {
        # Delegates access to IAM policies. Without this statement nobody could manage the key.
        Sid       = "AccountDecides"
        Effect    = "Allow"
        Principal = { AWS = "arn:${var.context.partition}:iam::${var.context.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "LogGroupsOfThisEnvironment"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.context.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"]
        Resource  = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = [
              "arn:${var.context.partition}:logs:${var.context.region}:${var.context.account_id}:log-group:/wandle/${var.context.environment}/*",
              "arn:${var.context.partition}:logs:${var.context.region}:${var.context.account_id}:log-group:/aws/rds/instance/wandle-${var.context.environment}/*",
            ]
          }
        }
      },
      {
        Sid       = "AlarmsOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = var.context.account_id } }
      },
      ], [
      for arn in var.website_arn[*] : {
        Sid       = "WebsiteReadsPublished"
        Effect    = "Allow"
        Principal = { Service = "cloudfront.amazonaws.com" }
        Action    = ["kms:Decrypt"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceArn" = arn } }
      }
    ])
  }
}

resource "aws_kms_key" "this" {
  description             = "Wandle ${var.context.environment}: landings, secrets, logs and alerts"
  enable_key_rotation     = true
  deletion_window_in_days = var.protected ? 30 : 7
  policy                  = jsonencode(local.policy)
}

resource "aws_kms_alias" "this" {
  name          = "alias/wandle-${var.context.environment}"
  target_key_id = aws_kms_key.this.key_id
}
