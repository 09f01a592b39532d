variable "environment" {
  description = "The environment: `dev` or `prod`. Part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "environment must be 2 to 10 small letters or digits and begin with a letter, such as dev."
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
