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

variable "key_arn" {
  description = "ARN of the environment's KMS key."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:", var.key_arn))
    error_message = "key_arn must be the ARN of a KMS key."
  }
}

variable "protected" {
  description = "Whether to protect the data from `terraform destroy`."
  type        = bool
  default     = true
}

variable "landing_archive_days" {
  description = "Days before landings move to Glacier Instant Retrieval, which is cheaper and just as fast to read."
  type        = number
  default     = 90

  validation {
    condition     = var.landing_archive_days >= 30
    error_message = "landing_archive_days must be at least 30, because last month's landings are still reloaded often."
  }
}

variable "deleted_days" {
  description = "Days to keep noncurrent object versions. Erased personal data is gone only after this time, so at most 30."
  type        = number
  default     = 30

  validation {
    condition     = var.deleted_days >= 1 && var.deleted_days <= 30
    error_message = "deleted_days must be between 1 and 30, because personal data must be erased within a month."
  }
}

variable "task_log_days" {
  description = "Days to keep Airflow task logs."
  type        = number
  default     = 365

  validation {
    condition     = var.task_log_days >= 7
    error_message = "task_log_days must be at least 7."
  }
}

variable "access_log_days" {
  description = "Days to keep the access logs of S3, the load balancer and the website."
  type        = number
  default     = 365

  validation {
    condition     = var.access_log_days >= 30
    error_message = "access_log_days must be at least 30."
  }
}

variable "website_arn" {
  description = "ARN of the CloudFront distribution that serves the published files. Null: none does."
  type        = string
  default     = null
}
