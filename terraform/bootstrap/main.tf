# Prerequisites of the environments: state bucket, ECR repositories, deployment roles and the permissions
# boundary. An administrator applies this once.

provider "aws" {
  region = var.region

  default_tags {
    tags = { Project = "wandle", Environment = "shared", ManagedBy = "terraform" }
  }
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
}

resource "aws_kms_key" "this" {
  description             = "Wandle: Terraform's state and the images"
  enable_key_rotation     = true
  deletion_window_in_days = var.protected ? 30 : 7

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      # Delegates access to IAM policies. Without this statement nobody could manage the key.
      Sid       = "AccountDecides"
      Effect    = "Allow"
      Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
      Action    = "kms:*"
      Resource  = "*"
    }]
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/wandle-bootstrap"
  target_key_id = aws_kms_key.this.key_id
}
