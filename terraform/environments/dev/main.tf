# Identical in every environment: what differs is in settings.tf and backend.tf.

locals {
  tags = {
    Project     = "wandle"
    Environment = local.environment
    Owner       = var.owner
    ManagedBy   = "terraform"
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}

# For the website: CloudFront is in no Region, and AWS takes the delivery of its logs in this one only.
provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"

  default_tags {
    tags = local.tags
  }
}

module "environment" {
  source = "../../modules/environment"

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  environment            = local.environment
  region                 = var.region
  protected              = local.settings.protected
  alert_email            = var.alert_email
  image_digest           = var.image_digest
  network                = local.settings.network
  host                   = local.settings.host
  workers                = var.workers
  database               = local.settings.database
  retention_days         = local.settings.retention_days
  landing_archive_days   = local.settings.landing_archive_days
  monthly_budget_usd     = local.settings.monthly_budget_usd
  nightly_stop           = local.settings.nightly_stop
  public                 = var.public
  website                = var.website
  publish_approval_hours = var.publish_approval_hours
  api                    = var.api
  api_image_digest       = var.api_image_digest
  login                  = var.login
  serverless_sources     = var.serverless_sources
  extract_image_digest   = var.extract_image_digest
}
