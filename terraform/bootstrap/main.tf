# What has to be there before an environment: where the state lies, where the images lie, who may
# deploy, and how far any role may ever go. Applied once by a person, by hand.

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
      # Without it nobody could change the key; IAM's policies say who may use it.
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
