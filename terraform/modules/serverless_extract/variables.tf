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

variable "log_retention_days" {
  description = "Days to keep logs in CloudWatch, such as 30, 90 or 365."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a retention period that CloudWatch Logs supports, such as 30, 90 or 365."
  }
}

variable "boundary_arn" {
  description = "ARN of the permissions boundary from `bootstrap`, attached to every role."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:policy/", var.boundary_arn))
    error_message = "boundary_arn must be the ARN of an IAM policy: the output `boundary_arn` of `bootstrap`."
  }
}

variable "source_name" {
  description = "Name of the source."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,39}$", var.source_name))
    error_message = "source_name must be the name of a contract in include/sources."
  }
}

variable "cron" {
  description = "Schedule of the contract: a cron expression with five fields, in UTC."
  type        = string

  validation {
    condition     = can(regex("^\\S+( \\S+){4}$", var.cron))
    error_message = "cron must have five fields: minute, hour, day of month, month, day of week."
  }

  validation {
    condition     = try(split(" ", var.cron)[4] == "*", false)
    error_message = "cron must not set the day of week, because EventBridge numbers weekdays differently."
  }
}

variable "statements" {
  description = "IAM statements for the function's role, from the output `sources` of the module `identity`."
  type        = any

  validation {
    condition     = length(var.statements) > 0
    error_message = "statements must be the source's statements from the output `sources` of the module `identity`."
  }
}

variable "image" {
  description = "Image of the function (target `extract` of the Dockerfile), pinned by digest."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com(\\.cn)?/[a-z0-9/_-]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must be an ECR image with its digest, <account>.dkr.ecr.<region>.amazonaws.com/<repository>@sha256:<64 hexadecimal digits>."
  }
}

variable "architecture" {
  description = "Architecture of the image: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "memory_mb" {
  description = "Memory of the function in MB. Pages are streamed, so the default is enough for most sources."
  type        = number
  default     = 512

  validation {
    condition     = var.memory_mb >= 256 && var.memory_mb <= 10240
    error_message = "memory_mb must be between 256 and 10240."
  }
}

variable "settings" {
  description = "Environment variables of the function. Must not contain secrets."
  type        = map(string)
}

variable "alerts_topic_arn" {
  description = "ARN of the SNS topic that is notified when an extraction has failed after all retries."
  type        = string
}
