# The environments differ in these locals alone.
locals {
  environment = "dev"
  protected   = false
}

terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # terraform init -backend-config=bucket=<bucket of the states> -backend-config=region=<region>
  backend "s3" {
    key          = "new-project/dev.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = "eu-west-2"

  default_tags {
    tags = {
      Project     = "new-project"
      Environment = local.environment
      ManagedBy   = "terraform"
    }
  }
}

data "aws_caller_identity" "current" {}

module "lake" {
  source = "../../modules/lake"

  name      = "new-project-${local.environment}-lake-${data.aws_caller_identity.current.account_id}"
  protected = local.protected
}

output "landing" {
  description = "The value of NEW_PROJECT_LANDING."
  value       = module.lake.landing
}
