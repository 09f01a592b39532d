# Access logs, without the readers' IP addresses.

resource "aws_cloudwatch_log_delivery_source" "this" {
  name         = "${local.name}-website"
  log_type     = "ACCESS_LOGS"
  resource_arn = aws_cloudfront_distribution.this.arn
}

resource "aws_cloudwatch_log_delivery_destination" "this" {
  name          = "${local.name}-website"
  output_format = "json"

  delivery_destination_configuration {
    destination_resource_arn = "arn:${var.context.partition}:s3:::${var.access_logs_bucket}/website"
  }
}

resource "aws_cloudwatch_log_delivery" "this" {
  delivery_source_name     = aws_cloudwatch_log_delivery_source.this.name
  delivery_destination_arn = aws_cloudwatch_log_delivery_destination.this.arn

  record_fields = [
    "date", "time", "x-edge-location", "cs-method", "cs(Host)", "cs-uri-stem", "sc-status", "sc-bytes", "time-taken",
    "x-edge-result-type", "x-edge-detailed-result-type", "cs(Referer)", "cs(User-Agent)", "cs-protocol",
    "cs-protocol-version", "ssl-protocol", "ssl-cipher",
  ]
}
