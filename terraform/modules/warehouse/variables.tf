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

variable "log_retention_days" {
  description = "Days that logs are kept in CloudWatch; one of the values that CloudWatch takes."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch takes, such as 30, 90 or 365."
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

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, in two zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must name at least two subnets: RDS asks for two zones."
  }
}

variable "clients" {
  description = "Security groups that may connect, by the name of what is in them."
  type        = map(string)
}

variable "engine_version" {
  description = "Major version of PostgreSQL; RDS installs its newest minor version."
  type        = number
  default     = 18

  validation {
    condition     = var.engine_version >= 17 && floor(var.engine_version) == var.engine_version
    error_message = "engine_version must be a major version of PostgreSQL, 17 or newer."
  }
}

variable "instance_class" {
  description = "Size of the database, such as db.t4g.medium."
  type        = string

  validation {
    condition     = can(regex("^db\\.(t4g|m6g|m7g|m8g|r6g|r7g|r8g)\\.(medium|large|[0-9]*xlarge)$", var.instance_class))
    error_message = "instance_class must be a Graviton class that RDS has, such as db.t4g.medium or db.m7g.large."
  }
}

variable "storage_gb" {
  description = "Disk to begin with, in GB."
  type        = number

  validation {
    condition     = var.storage_gb >= 20 && floor(var.storage_gb) == var.storage_gb
    error_message = "storage_gb must be a whole number of at least 20."
  }
}

variable "storage_limit_gb" {
  description = "Up to what the disk grows by itself, in GB."
  type        = number

  validation {
    condition     = var.storage_limit_gb >= var.storage_gb * 1.1
    error_message = "storage_limit_gb must be at least a tenth more than storage_gb, or the disk cannot grow."
  }
}

variable "multi_az" {
  description = "Whether a second server stands by in the other zone."
  type        = bool
}

variable "backup_days" {
  description = "Days that one can go back to any moment of."
  type        = number

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "backup_days must be 1 to 35: without backups nothing can be restored."
  }
}

variable "final_snapshot" {
  description = "Whether destroying the database leaves a snapshot."
  type        = bool
}
