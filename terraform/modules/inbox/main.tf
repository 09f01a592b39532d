# Events of new files in inboxes: S3 sends them to one queue per source, where Airflow's triggerer waits.

locals {
  name = "wandle-${var.context.environment}-inbox"
  arns = {
    for source in var.sources :
    source => "arn:${var.context.partition}:sqs:${var.context.region}:${var.context.account_id}:${local.name}-${source}"
  }
}

resource "aws_sqs_queue" "inbox" {
  for_each = var.sources

  # checkov:skip=CKV_AWS_27:Events hold names of files, no content; encrypted with a key that SQS manages, because S3 may not use the environment's key
  name                      = "${local.name}-${each.key}"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 4 * 24 * 3600
}

resource "aws_sqs_queue_policy" "inbox" {
  for_each = var.sources

  queue_url = aws_sqs_queue.inbox[each.key].url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyTheBucketSends"
        Effect    = "Allow"
        Principal = { Service = "s3.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.arns[each.key]
        Condition = {
          ArnEquals    = { "aws:SourceArn" = var.bucket_arn }
          StringEquals = { "aws:SourceAccount" = var.context.account_id }
        }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "sqs:*"
        Resource  = local.arns[each.key]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_s3_bucket_notification" "inbox" {
  count = length(var.sources) == 0 ? 0 : 1

  bucket = var.bucket

  dynamic "queue" {
    for_each = var.sources

    content {
      id            = "inbox-${queue.key}"
      queue_arn     = local.arns[queue.key]
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = "inbox/${queue.key}/"
    }
  }

  # S3 tests whether it may send before it accepts the notification.
  depends_on = [aws_sqs_queue_policy.inbox]
}
