output "address" {
  description = "Address of the published dashboard and open data."
  value       = "https://${var.domain == null ? aws_cloudfront_distribution.this.domain_name : var.domain.hostname}"
}

output "domain_name" {
  description = "DNS name of the distribution, for the council's DNS record."
  value       = aws_cloudfront_distribution.this.domain_name
}

output "distribution" {
  description = "ID of the CloudFront distribution: WANDLE_DISTRIBUTION."
  value       = aws_cloudfront_distribution.this.id
}

output "distribution_arn" {
  description = "ARN of the CloudFront distribution, for the policies of the bucket, its key and the housekeeping role."
  value       = aws_cloudfront_distribution.this.arn
}
