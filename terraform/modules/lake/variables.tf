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
  description = "ARN of the key of the environment."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:", var.key_arn))
    error_message = "key_arn must be the ARN of a KMS key."
  }
}

variable "protected" {
  description = "Whether data are safe from `terraform destroy`."
  type        = bool
  default     = true
}

variable "landing_archive_days" {
  description = "Days after which a landing moves to a cheaper class that is read as fast (Glacier Instant Retrieval)."
  type        = number
  default     = 90

  validation {
    condition     = var.landing_archive_days >= 30
    error_message = "landing_archive_days must be at least 30: last month is still reloaded often."
  }
}

variable "deleted_days" {
  description = "Days that a deleted or replaced object can still be brought back. Erased personal data is gone after these, so no longer than 30."
  type        = number
  default     = 30

  validation {
    condition     = var.deleted_days >= 1 && var.deleted_days <= 30
    error_message = "deleted_days must be 1 to 30: erasure promises a month."
  }
}

variable "task_log_days" {
  description = "Days that Airflow's task logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = var.task_log_days >= 7
    error_message = "task_log_days must be at least 7."
  }
}

variable "access_log_days" {
  description = "Days that the log of every access to the bucket is kept."
  type        = number
  default     = 365

  validation {
    condition     = var.access_log_days >= 30
    error_message = "access_log_days must be at least 30."
  }
}
