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

variable "boundary_arn" {
  description = "ARN of the permission boundary that `bootstrap` made; every role gets it."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:policy/", var.boundary_arn))
    error_message = "boundary_arn must be the ARN of an IAM policy; `bootstrap` prints it."
  }
}

variable "alert_email" {
  description = "Who is told when something is wrong."
  type        = string

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alert_email))
    error_message = "alert_email must be an e-mail address: alarms and the budget are sent there."
  }
}

variable "monthly_budget_usd" {
  description = "What the environment may cost in a month, in US dollars; alerts at 80 %, at 100 %, and when it is forecast."
  type        = number

  validation {
    condition     = var.monthly_budget_usd > 0
    error_message = "monthly_budget_usd must be more than 0."
  }
}

variable "sources" {
  description = "Sources whose freshness is watched."
  type        = set(string)

  validation {
    condition     = length(var.sources) > 0
    error_message = "sources must name at least one source."
  }
}

variable "database_identifier" {
  description = "Name of the database server."
  type        = string
}

variable "database_storage_limit_gb" {
  description = "Up to what the database's disk grows by itself, in GB."
  type        = number
}

variable "host_groups" {
  description = "Groups of hosts whose disk and memory are watched: host, worker."
  type        = set(string)
}

variable "autoscaling_group" {
  description = "Group of the one host."
  type        = string
}

variable "nightly_stop" {
  description = "When the database stops and starts again, as cron expressions in UTC; null: never. Alarms about missing data are then silent."
  type        = object({ stop = string, start = string })
  default     = null

  validation {
    condition     = var.nightly_stop == null ? true : alltrue([for when in values(var.nightly_stop) : can(regex("^[0-9]{1,2} [0-9]{1,2} \\* \\* \\S+$", when))])
    error_message = "nightly_stop must hold two cron expressions such as 0 19 * * *: every day, or on days of the week."
  }
}

variable "functions" {
  description = "Lambdas whose errors are watched."
  type        = set(string)
  default     = []
}
