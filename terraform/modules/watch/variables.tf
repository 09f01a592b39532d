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

variable "boundary_arn" {
  description = "ARN of the permissions boundary from `bootstrap`, attached to every role."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:policy/", var.boundary_arn))
    error_message = "boundary_arn must be the ARN of an IAM policy: the output `boundary_arn` of `bootstrap`."
  }
}

variable "alert_email" {
  description = "Email address that receives alarms and budget alerts."
  type        = string

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alert_email))
    error_message = "alert_email must be an email address. It receives alarms and budget alerts."
  }
}

variable "monthly_budget_usd" {
  description = "Monthly cost budget in US dollars. Alerts are sent at 80 % and 100 % of actual cost and at 100 % of forecast cost."
  type        = number

  validation {
    condition     = var.monthly_budget_usd > 0
    error_message = "monthly_budget_usd must be greater than 0."
  }
}

variable "sources" {
  description = "Sources to monitor for freshness."
  type        = set(string)

  validation {
    condition     = length(var.sources) > 0
    error_message = "sources must contain at least one source."
  }
}

variable "database_identifier" {
  description = "Identifier of the DB instance."
  type        = string
}

variable "database_storage_limit_gb" {
  description = "Maximum storage of the database in GB."
  type        = number
}

variable "host_groups" {
  description = "Groups of hosts to monitor for disk and memory: host, worker."
  type        = set(string)
}

variable "autoscaling_group" {
  description = "Name of the host's Auto Scaling group."
  type        = string
}

variable "nightly_stop" {
  description = "Cron expressions (UTC) that stop and start the database; alarms then ignore missing data. Null: it runs all the time."
  type        = object({ stop = string, start = string })
  default     = null

  validation {
    condition     = var.nightly_stop == null ? true : alltrue([for when in values(var.nightly_stop) : can(regex("^[0-9]{1,2} [0-9]{1,2} \\* \\* \\S+$", when))])
    error_message = "nightly_stop must contain two cron expressions with a fixed minute and hour that run every day or on days of the week, such as 0 19 * * * or 0 7 * * MON-FRI."
  }
}

variable "functions" {
  description = "Names of the Lambda functions to monitor for errors."
  type        = set(string)
  default     = []
}
