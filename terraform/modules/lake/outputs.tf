output "bucket" {
  description = "Name of the bucket: WANDLE_BUCKET."
  value       = aws_s3_bucket.lake.bucket
}

output "arn" {
  description = "ARN of the bucket, for the policies that grant access to it."
  value       = local.arn
}

output "access_logs_bucket" {
  description = "Bucket of the access logs, for the load balancer's."
  value       = aws_s3_bucket.access_logs.bucket

  depends_on = [aws_s3_bucket_policy.access_logs]
}
