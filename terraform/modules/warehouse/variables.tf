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

variable "vpc_id" {
  description = "ID of the VPC."
  type        = string
}

variable "subnet_ids" {
  description = "IDs of private subnets in at least two Availability Zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must contain at least two subnets, because RDS requires two Availability Zones."
  }
}

variable "clients" {
  description = "IDs of the security groups that can connect, by name of the client."
  type        = map(string)
}

variable "engine_version" {
  description = "PostgreSQL major version. RDS installs the latest minor version."
  type        = number
  default     = 18

  validation {
    condition     = var.engine_version >= 17 && floor(var.engine_version) == var.engine_version
    error_message = "engine_version must be a PostgreSQL major version, 17 or later."
  }
}

variable "instance_class" {
  description = "RDS instance class, such as db.t4g.medium."
  type        = string

  validation {
    condition     = can(regex("^db\\.(t4g|m6g|m7g|m8g|r6g|r7g|r8g)\\.(medium|large|[0-9]*xlarge)$", var.instance_class))
    error_message = "instance_class must be a Graviton instance class, such as db.t4g.medium or db.m7g.large."
  }
}

variable "storage_gb" {
  description = "Initial storage in GB."
  type        = number

  validation {
    condition     = var.storage_gb >= 20 && floor(var.storage_gb) == var.storage_gb
    error_message = "storage_gb must be a whole number of at least 20."
  }
}

variable "storage_limit_gb" {
  description = "Maximum storage in GB, for storage autoscaling."
  type        = number

  validation {
    condition     = var.storage_limit_gb >= var.storage_gb * 1.1
    error_message = "storage_limit_gb must be at least 10 % more than storage_gb, as RDS storage autoscaling requires."
  }
}

variable "multi_az" {
  description = "Whether to run a standby instance in a second Availability Zone."
  type        = bool
}

variable "backup_days" {
  description = "Days of automated backups, for point-in-time recovery."
  type        = number

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "backup_days must be between 1 and 35. Backups cannot be turned off."
  }
}

variable "final_snapshot" {
  description = "Whether to create a final snapshot when the database is destroyed."
  type        = bool
}
