output "landing" {
  description = "The value of NEW_PROJECT_LANDING."
  value       = "s3://${aws_s3_bucket.lake.bucket}"
}
