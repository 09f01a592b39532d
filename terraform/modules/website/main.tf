# The published dashboard and open data, on the internet: CloudFront in front of the lake bucket.
#
# Each version has addresses of its own, /<version>/site/... and /<version>/data/..., and never changes, so
# CloudFront and browsers keep it. /index.html, /current.json and /404.html lead to the current version; the
# publication replaces each in one request (include/publish/front.py).
#
# The provider of this module is that of us-east-1: AWS takes the delivery of CloudFront's logs there only.

locals {
  name = "wandle-${var.context.environment}"

  # AWS's own cache policy CachingOptimized: nothing but the path counts, for as long as S3's Cache-Control says.
  cache_policy_id = "658327ea-f89d-4fab-a63d-7e88639e58f6"

  # The same as plugins/open_data.py sends for these pages; tests/infra/test_website.py compares them.
  content_security_policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
  frame_option            = "SAMEORIGIN"
  referrer_policy         = "same-origin"
}

resource "aws_cloudfront_origin_access_control" "this" {
  name                              = local.name
  description                       = "Signs every request to the lake bucket"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_response_headers_policy" "this" {
  # checkov:skip=CKV_AWS_259:A year of HSTS for this name; other names of the council's domain are not Wandle's to decide about
  name    = local.name
  comment = "The headers of the dashboard in Airflow, and HSTS"

  security_headers_config {
    content_security_policy {
      content_security_policy = var.api_url == "" ? local.content_security_policy : replace(local.content_security_policy, "connect-src 'none'", "connect-src ${var.api_url}")
      override                = true
    }

    content_type_options {
      override = true
    }

    frame_options {
      frame_option = local.frame_option
      override     = true
    }

    referrer_policy {
      referrer_policy = local.referrer_policy
      override        = true
    }

    strict_transport_security {
      access_control_max_age_sec = 31536000
      include_subdomains         = false
      preload                    = false
      override                   = true
    }
  }
}

resource "aws_cloudfront_distribution" "this" {
  # checkov:skip=CKV_AWS_68:Static, public files: a web application firewall would have nothing to protect; the council can add one
  # checkov:skip=CKV2_AWS_47:Static files from S3: no request reaches a program that logs it with Log4j
  # checkov:skip=CKV_AWS_86:Access logs are delivered by access_logs.tf, because this older way needs a bucket with ACLs
  # checkov:skip=CKV_AWS_174:TLS 1.2 with the council's certificate; AWS does not let its own certificate be restricted
  # checkov:skip=CKV2_AWS_42:The council's certificate is optional
  # checkov:skip=CKV_AWS_310:One bucket; CloudFront's copies serve readers while S3 is unavailable
  # checkov:skip=CKV_AWS_374:Open data is for readers everywhere
  comment             = "Wandle ${var.context.environment}: dashboard and open data"
  enabled             = true
  is_ipv6_enabled     = true
  http_version        = "http2and3"
  price_class         = "PriceClass_100"
  default_root_object = "index.html"
  aliases             = var.domain[*].hostname
  wait_for_deployment = false

  origin {
    origin_id                = "published"
    domain_name              = "${var.bucket}.s3.${var.context.region}.amazonaws.com"
    origin_path              = "/published"
    origin_access_control_id = aws_cloudfront_origin_access_control.this.id
  }

  default_cache_behavior {
    target_origin_id           = "published"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = local.cache_policy_id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.this.id
  }

  # S3 answers 403 for a missing object to readers who may not list the bucket.
  dynamic "custom_error_response" {
    for_each = [403, 404]

    content {
      error_code            = custom_error_response.value
      response_code         = 404
      response_page_path    = "/404.html"
      error_caching_min_ttl = 10
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.domain == null
    acm_certificate_arn            = one(var.domain[*].certificate_arn)
    ssl_support_method             = var.domain == null ? null : "sni-only"
    # With its own certificate, CloudFront ignores this and also takes TLS 1.0 and 1.1.
    minimum_protocol_version = var.domain == null ? "TLSv1" : "TLSv1.2_2021"
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }
}
