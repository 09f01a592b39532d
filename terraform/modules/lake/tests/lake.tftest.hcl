mock_provider "aws" {}

variables {
  context = {
    environment = "dev"
    account_id  = "123456789012"
    region      = "eu-west-2"
    partition   = "aws"
  }

  key_arn = "arn:aws:kms:eu-west-2:123456789012:key/1"
}

run "blocks_public_access_to_both_buckets" {
  command = plan

  assert {
    condition = alltrue([
      for block in [aws_s3_bucket_public_access_block.lake, aws_s3_bucket_public_access_block.access_logs] :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ])
    error_message = "All four public access block settings must be on."
  }

  assert {
    condition = alltrue([
      for controls in [aws_s3_bucket_ownership_controls.lake, aws_s3_bucket_ownership_controls.access_logs] :
      controls.rule[0].object_ownership == "BucketOwnerEnforced"
    ])
    error_message = "ACLs must be disabled, so that the bucket owner owns every object."
  }
}

run "requires_tls" {
  command = plan

  assert {
    condition = alltrue([
      for policy in [aws_s3_bucket_policy.lake.policy, aws_s3_bucket_policy.access_logs.policy] : anytrue([
        for statement in jsondecode(policy).Statement :
        statement.Effect == "Deny" && try(statement.Condition.Bool["aws:SecureTransport"], "") == "false"
      ])
    ])
    error_message = "Both buckets must deny requests without TLS."
  }
}

run "is_versioned_encrypted_and_logged" {
  command = plan

  assert {
    condition     = aws_s3_bucket_versioning.lake.versioning_configuration[0].status == "Enabled"
    error_message = "An overwritten or deleted landing must be recoverable."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.lake.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.key_arn
    error_message = "The lake must be encrypted with the environment's key."
  }

  assert {
    condition     = aws_s3_bucket_logging.lake.target_prefix == "lake/"
    error_message = "Access to the lake must be logged."
  }
}

run "never_expires_a_landing" {
  command = plan

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_lifecycle_configuration.lake.rule :
      length(rule.expiration) == 0 && length(rule.transition) == 1
      if rule.id == "landing"
    ])
    error_message = "Only `housekeeping` may delete landings: it follows the contracts and records each deletion."
  }

  assert {
    condition = anytrue([
      for rule in aws_s3_bucket_lifecycle_configuration.lake.rule :
      length(rule.abort_incomplete_multipart_upload) > 0 && one(rule.noncurrent_version_expiration[*].noncurrent_days) == 30
      if rule.id == "every-zone"
    ])
    error_message = "Incomplete uploads must be removed, and erased data must be gone after a month."
  }
}

run "is_not_destroyed_while_it_contains_objects" {
  command = plan

  assert {
    condition     = !aws_s3_bucket.lake.force_destroy && !aws_s3_bucket.access_logs.force_destroy
    error_message = "A bucket that contains objects must be protected by default."
  }
}

run "refuses_to_keep_erased_data_for_more_than_a_month" {
  command = plan

  variables {
    deleted_days = 60
  }

  expect_failures = [var.deleted_days]
}

run "refuses_to_archive_recent_landings" {
  command = plan

  variables {
    landing_archive_days = 7
  }

  expect_failures = [var.landing_archive_days]
}

run "lets_nobody_read_for_the_internet_by_default" {
  command = plan

  assert {
    condition     = alltrue([for statement in jsondecode(aws_s3_bucket_policy.lake.policy).Statement : statement.Effect == "Deny"])
    error_message = "Without the website, the bucket policy must allow nothing."
  }
}

run "lets_one_distribution_read_complete_published_files_and_nothing_else" {
  command = plan

  variables {
    website_arn = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_s3_bucket_policy.lake.policy).Statement :
      [statement.Principal, statement.Action, statement.Condition] if statement.Effect == "Allow"
      ] == [[
        { Service = "cloudfront.amazonaws.com" }, "s3:GetObject",
        { StringEquals = { "aws:SourceArn" = "arn:aws:cloudfront::123456789012:distribution/E1EXAMPLE" } },
    ]]
    error_message = "Only the website's own distribution may read, and it may not list."
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_s3_bucket_policy.lake.policy).Statement : statement.Resource if statement.Effect == "Allow"
      ]) == [
      for path in ["*/site/*", "*/data/*", "index.html", "404.html", "current.js", "current.json"] :
      "arn:aws:s3:::wandle-dev-lake-123456789012/published/${path}"
    ]
    error_message = "It may read what the publication made for readers: no landing, no index, no description of a version."
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.lake.block_public_policy && aws_s3_bucket_public_access_block.lake.restrict_public_buckets
    error_message = "The bucket itself must stay private."
  }
}
