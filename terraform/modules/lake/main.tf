# The lake bucket: landing/<source>/<council>/<period>/..., published/, docs/, logs/.

locals {
  bucket = "wandle-${var.context.environment}-lake-${var.context.account_id}"
  arn    = "arn:${var.context.partition}:s3:::${local.bucket}"
}

resource "aws_s3_bucket" "lake" {
  # checkov:skip=CKV_AWS_144:Landings can be fetched again or copied with AWS Backup; a second Region would double the cost
  # checkov:skip=CKV2_AWS_62:The module inbox sends events of new files; of landings, nothing consumes them
  bucket        = local.bucket
  force_destroy = !var.protected
}

resource "aws_s3_bucket_public_access_block" "lake" {
  bucket = aws_s3_bucket.lake.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "lake" {
  bucket = aws_s3_bucket.lake.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.key_arn
    }
  }
}

resource "aws_s3_bucket_logging" "lake" {
  bucket        = aws_s3_bucket.lake.id
  target_bucket = aws_s3_bucket.access_logs.id
  target_prefix = "lake/"

  depends_on = [aws_s3_bucket_policy.access_logs]
}

locals {
  # What the website serves: versions, and what leads to them (include/publish/front.py). Not the index of
  # versions and not their descriptions, which are for the pipeline.
  website_objects = ["*/site/*", "*/data/*", "index.html", "404.html", "current.js", "current.json"]
}

resource "aws_s3_bucket_policy" "lake" {
  bucket = aws_s3_bucket.lake.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:*"
        Resource  = [local.arn, "${local.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "Tls12OrNewer"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:*"
        Resource  = [local.arn, "${local.arn}/*"]
        Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      },
      {
        # A request without this header uses the bucket's default, which is this key.
        Sid       = "NoOtherKey"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:PutObject"
        Resource  = "${local.arn}/*"
        Condition = { StringNotEqualsIfExists = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = var.key_arn } }
      },
      {
        Sid       = "NoOtherEncryption"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:PutObject"
        Resource  = "${local.arn}/*"
        Condition = { StringNotEqualsIfExists = { "s3:x-amz-server-side-encryption" = "aws:kms" } }
      },
      ], [
      for arn in var.website_arn[*] : {
        Sid       = "WebsiteReadsPublished"
        Effect    = "Allow"
        Principal = { Service = "cloudfront.amazonaws.com" }
        Action    = "s3:GetObject"
        Resource  = [for path in local.website_objects : "${local.arn}/published/${path}"]
        Condition = { StringEquals = { "aws:SourceArn" = arn } }
      }
    ])
  })

  depends_on = [aws_s3_bucket_public_access_block.lake]
}

resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id

  # Landings never expire here: the DAG `housekeeping` deletes them according to the `retention_days` of
  # their contract, and records each deletion.
  rule {
    id     = "landing"
    status = "Enabled"

    filter {
      prefix = "landing/"
    }

    transition {
      days          = var.landing_archive_days
      storage_class = "GLACIER_IR"
    }
  }

  rule {
    id     = "logs"
    status = "Enabled"

    filter {
      prefix = "logs/"
    }

    expiration {
      days = var.task_log_days
    }
  }

  rule {
    id     = "every-zone"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.deleted_days
    }

    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  depends_on = [aws_s3_bucket_versioning.lake]
}
