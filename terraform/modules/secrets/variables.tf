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

variable "source_secrets" {
  description = "Names of the secrets that sources log in with, and of those with the URLs of alerts: the output `source_secrets` of the module `identity`."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.source_secrets : can(regex("^[a-z][a-z0-9_]{0,47}$", name))])
    error_message = "source_secrets must be names of at most 48 lowercase letters, digits and underscores."
  }
}

variable "has_api" {
  description = "Whether there is the read API, which has a secret for the hashes of its keys."
  type        = bool
  default     = false
}

variable "protected" {
  description = "Whether to protect the data from `terraform destroy`."
  type        = bool
  default     = true
}
