output "bucket" {
  description = "Name of the lake bucket: WANDLE_BUCKET."
  value       = aws_s3_bucket.lake.bucket
}

output "arn" {
  description = "ARN of the lake bucket."
  value       = local.arn
}

output "access_logs_bucket" {
  description = "Name of the access log bucket, for the load balancer."
  value       = aws_s3_bucket.access_logs.bucket

  depends_on = [aws_s3_bucket_policy.access_logs]
}
