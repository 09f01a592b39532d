mock_provider "aws" {
  mock_resource "aws_cloudfront_distribution" {
    defaults = {
      arn         = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE"
      id          = "E1EXAMPLE"
      domain_name = "d111111abcdef8.cloudfront.net"
    }
  }

  mock_resource "aws_cloudwatch_log_delivery_destination" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:delivery-destination:wandle-dev-website" }
  }
}

variables {
  context = {
    environment = "dev"
    account_id  = "123456789012"
    region      = "eu-west-2"
    partition   = "aws"
  }

  bucket             = "wandle-dev-lake-123456789012"
  access_logs_bucket = "wandle-dev-access-logs-123456789012"
}

run "serves_only_what_is_published_and_signs_every_request" {
  command = plan

  assert {
    condition     = one(aws_cloudfront_distribution.this.origin).domain_name == "wandle-dev-lake-123456789012.s3.eu-west-2.amazonaws.com" && one(aws_cloudfront_distribution.this.origin).origin_path == "/published"
    error_message = "No address may lead out of published/."
  }

  assert {
    condition     = aws_cloudfront_origin_access_control.this.signing_behavior == "always" && aws_cloudfront_origin_access_control.this.signing_protocol == "sigv4"
    error_message = "The bucket is private, so every request must be signed."
  }

  assert {
    condition     = aws_cloudfront_distribution.this.default_cache_behavior[0].allowed_methods == toset(["GET", "HEAD"]) && length(aws_cloudfront_distribution.this.ordered_cache_behavior) == 0
    error_message = "Readers must only be able to read."
  }
}

run "leads_to_the_current_version_and_names_what_is_missing" {
  command = plan

  assert {
    condition     = aws_cloudfront_distribution.this.default_root_object == "index.html"
    error_message = "The website's address must lead to the current version."
  }

  assert {
    condition = { for response in aws_cloudfront_distribution.this.custom_error_response : response.error_code => [response.response_code, response.response_page_path] } == {
      403 = [404, "/404.html"]
      404 = [404, "/404.html"]
    }
    error_message = "A missing page must be a 404 with a page, although S3 answers 403."
  }
}

run "requires_https" {
  command = plan

  assert {
    condition     = aws_cloudfront_distribution.this.default_cache_behavior[0].viewer_protocol_policy == "redirect-to-https"
    error_message = "Plain HTTP must be redirected."
  }

  assert {
    condition     = one(one(aws_cloudfront_response_headers_policy.this.security_headers_config).strict_transport_security).access_control_max_age_sec >= 31536000
    error_message = "Browsers must be told to use HTTPS for a year."
  }
}

run "sends_the_security_headers_whatever_the_bucket_answers" {
  command = plan

  assert {
    condition = alltrue([
      for header in [
        one(aws_cloudfront_response_headers_policy.this.security_headers_config).content_security_policy,
        one(aws_cloudfront_response_headers_policy.this.security_headers_config).content_type_options,
        one(aws_cloudfront_response_headers_policy.this.security_headers_config).frame_options,
        one(aws_cloudfront_response_headers_policy.this.security_headers_config).referrer_policy,
        one(aws_cloudfront_response_headers_policy.this.security_headers_config).strict_transport_security,
      ] : one(header).override
    ])
    error_message = "An object's own header must not replace a security header."
  }

  assert {
    condition     = !strcontains(local.content_security_policy, "unsafe") && startswith(local.content_security_policy, "default-src 'none'")
    error_message = "The content security policy must allow nothing inline."
  }
}

run "logs_requests_without_addresses_of_readers" {
  command = plan

  assert {
    condition     = one(aws_cloudwatch_log_delivery_destination.this.delivery_destination_configuration).destination_resource_arn == "arn:aws:s3:::wandle-dev-access-logs-123456789012/website"
    error_message = "Access must be logged in the access log bucket."
  }

  assert {
    condition     = length(setintersection(aws_cloudwatch_log_delivery.this.record_fields, ["c-ip", "c-port", "x-forwarded-for", "cs(Cookie)"])) == 0
    error_message = "The IP addresses of readers are personal data, which nobody needs here."
  }
}

run "has_an_address_without_a_domain_of_the_council" {
  command = apply

  assert {
    condition     = output.address == "https://d111111abcdef8.cloudfront.net" && output.distribution == "E1EXAMPLE"
    error_message = "Without a domain the address is the one that CloudFront assigns."
  }
}

run "takes_the_domain_of_the_council_with_tls_1_2" {
  command = plan

  variables {
    domain = { hostname = "data.example.gov.uk", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1" }
  }

  assert {
    condition     = output.address == "https://data.example.gov.uk" && aws_cloudfront_distribution.this.aliases == toset(["data.example.gov.uk"])
    error_message = "The address must be the council's."
  }

  assert {
    condition     = aws_cloudfront_distribution.this.viewer_certificate[0].minimum_protocol_version == "TLSv1.2_2021" && aws_cloudfront_distribution.this.viewer_certificate[0].ssl_support_method == "sni-only"
    error_message = "TLS 1.2 or later must be required."
  }
}

run "refuses_a_certificate_of_another_region" {
  command = plan

  variables {
    domain = { hostname = "data.example.gov.uk", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/1" }
  }

  expect_failures = [var.domain]
}

run "refuses_a_url_as_host_name" {
  command = plan

  variables {
    domain = { hostname = "https://data.example.gov.uk/", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1" }
  }

  expect_failures = [var.domain]
}

run "lets_scripts_ask_nobody_by_default" {
  command = plan

  assert {
    condition     = strcontains(one(one(aws_cloudfront_response_headers_policy.this.security_headers_config).content_security_policy).content_security_policy, "connect-src 'none';")
    error_message = "Without the read API, scripts must not ask anybody."
  }
}

run "lets_scripts_ask_the_read_api_on_request" {
  command = plan

  variables {
    api_url = "https://api.example.gov.uk"
  }

  assert {
    condition     = strcontains(one(one(aws_cloudfront_response_headers_policy.this.security_headers_config).content_security_policy).content_security_policy, "connect-src https://api.example.gov.uk;")
    error_message = "Scripts must be allowed to ask this origin, and no other."
  }
}

run "refuses_an_api_without_tls" {
  command = plan

  variables {
    api_url = "http://api.example.gov.uk"
  }

  expect_failures = [var.api_url]
}
