# Access logs of the lake bucket, the optional load balancer and the optional website.

locals {
  access_logs_bucket = "wandle-${var.context.environment}-access-logs-${var.context.account_id}"
  access_logs_arn    = "arn:${var.context.partition}:s3:::${local.access_logs_bucket}"
}

resource "aws_s3_bucket" "access_logs" {
  # checkov:skip=CKV_AWS_18:This is the bucket for access logs; logging access to it would never end
  # checkov:skip=CKV_AWS_144:Only logs; a second Region would double the cost
  # checkov:skip=CKV_AWS_145:S3, load balancers and CloudFront can deliver logs only to a bucket with SSE-S3
  # checkov:skip=CKV2_AWS_62:Nothing consumes events of this bucket
  bucket        = local.access_logs_bucket
  force_destroy = !var.protected
}

resource "aws_s3_bucket_public_access_block" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_policy" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:*"
        Resource  = [local.access_logs_arn, "${local.access_logs_arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "AccessLogsOfTheLake"
        Effect    = "Allow"
        Principal = { Service = "logging.s3.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${local.access_logs_arn}/lake/*"
        Condition = {
          ArnEquals    = { "aws:SourceArn" = local.arn }
          StringEquals = { "aws:SourceAccount" = var.context.account_id }
        }
      },
      {
        Sid       = "AccessLogsOfTheLoadBalancer"
        Effect    = "Allow"
        Principal = { Service = "logdelivery.elasticloadbalancing.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${local.access_logs_arn}/load-balancer/AWSLogs/${var.context.account_id}/*"
        Condition = {
          ArnLike = { "aws:SourceArn" = "arn:${var.context.partition}:elasticloadbalancing:${var.context.region}:${var.context.account_id}:loadbalancer/*" }
        }
      },
      {
        Sid       = "AccessLogsOfTheWebsite"
        Effect    = "Allow"
        Principal = { Service = "delivery.logs.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${local.access_logs_arn}/website/AWSLogs/${var.context.account_id}/*"
        Condition = {
          ArnLike      = { "aws:SourceArn" = "arn:${var.context.partition}:logs:us-east-1:${var.context.account_id}:delivery-source:wandle-${var.context.environment}-website" }
          StringEquals = { "aws:SourceAccount" = var.context.account_id }
        }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.access_logs]
}

resource "aws_s3_bucket_lifecycle_configuration" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.access_log_days
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  depends_on = [aws_s3_bucket_versioning.access_logs]
}
