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

variable "protected" {
  description = "Whether to protect the data from `terraform destroy`."
  type        = bool
  default     = true
}

variable "website_arn" {
  description = "ARN of the CloudFront distribution that serves the published files. Null: none does."
  type        = string
  default     = null
}
