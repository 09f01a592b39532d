variable "context" {
  description = "Environment, AWS account, Region and partition of the resources. Names and ARNs are built from them."
  type = object({
    environment = string
    account_id  = string
    region      = string
    partition   = string
  })

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.context.environment))
    error_message = "context.environment must be 2 to 10 lowercase letters or digits and start with a letter, such as dev."
  }

  validation {
    condition     = can(regex("^[0-9]{12}$", var.context.account_id))
    error_message = "context.account_id must be a 12-digit AWS account ID."
  }

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.context.region))
    error_message = "context.region must be an AWS Region, such as eu-west-2."
  }

  validation {
    condition     = contains(["aws", "aws-cn", "aws-us-gov"], var.context.partition)
    error_message = "context.partition must be aws, aws-cn or aws-us-gov."
  }
}

variable "bucket" {
  description = "Name of the lake bucket, whose published files are served."
  type        = string
}

variable "access_logs_bucket" {
  description = "Name of the bucket for access logs."
  type        = string
}

variable "api_url" {
  description = "Address of the read API, which the dashboard's scripts may ask. Empty: they may ask nobody."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(https://[a-z0-9.-]+)?$", var.api_url))
    error_message = "api_url must be the https:// address of a host, without a path."
  }
}

variable "domain" {
  description = "The council's own domain for the website: host name and ARN of its ACM certificate, which must be in us-east-1. Null: the name that CloudFront assigns."
  type        = object({ hostname = string, certificate_arn = string })
  default     = null

  validation {
    condition     = var.domain == null ? true : can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain.hostname))
    error_message = "domain.hostname must be a host name in lowercase, without https://, such as data.example.gov.uk."
  }

  validation {
    condition     = var.domain == null ? true : can(regex("^arn:[a-z-]+:acm:us-east-1:[0-9]{12}:certificate/", var.domain.certificate_arn))
    error_message = "domain.certificate_arn must be the ARN of an ACM certificate in us-east-1, because CloudFront takes no other."
  }
}
