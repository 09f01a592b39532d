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

variable "log_retention_days" {
  description = "Days that logs are kept in CloudWatch; one of the values that CloudWatch takes."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch takes, such as 30, 90 or 365."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "private_subnet_ids" {
  description = "Where the hosts run."
  type        = list(string)

  validation {
    condition     = length(var.private_subnet_ids) >= 2
    error_message = "private_subnet_ids must name two subnets, so that a host can come back in the other zone."
  }
}

variable "public_subnet_ids" {
  description = "Where the load balancer stands, if there is one."
  type        = list(string)
  default     = []
}

variable "instance_type" {
  description = "Size of the host, such as t4g.xlarge (Graviton) or m7i.xlarge."
  type        = string

  validation {
    condition     = can(regex("^(t4g|t3|t3a|m6g|m7g|m8g|m6i|m7i|m7a|c7g|c8g|c7i|r7g|r8g|r7i)\\.(large|[0-9]*xlarge)$", var.instance_type))
    error_message = "instance_type must be a size that holds the stack (large or more) of a family such as t4g, m7g or m7i."
  }
}

variable "disk_gb" {
  description = "Size of the encrypted disk, in GB."
  type        = number

  validation {
    condition     = var.disk_gb >= 30 && floor(var.disk_gb) == var.disk_gb
    error_message = "disk_gb must be a whole number of at least 30: the images take 10."
  }
}

variable "instance_profile_arn" {
  description = "Profile that the hosts run as."
  type        = string
}

variable "image" {
  description = "The image to run, by digest: `<registry>/<repository>@sha256:<64 hexadecimal digits>`."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com(\\.cn)?/[a-z0-9/_-]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must be an image in ECR by its digest, <account>.dkr.ecr.<region>.amazonaws.com/<repository>@sha256:<64 hexadecimal digits>: a tag can be moved."
  }
}

variable "settings" {
  description = "Variables that every container is given, by name; nothing secret."
  type        = map(string)

  validation {
    condition     = alltrue([for name, value in var.settings : can(regex("^[A-Z][A-Z0-9_]*$", name)) && !can(regex("[\\n']", value))])
    error_message = "settings must be variables in capitals whose values have neither line breaks nor single quotes."
  }
}

variable "admin_secret_arn" {
  description = "WANDLE_ADMIN_SECRET, given to the service `migrate` alone."
  type        = string
}

variable "nightly_stop" {
  description = "When the hosts stop and start again, as cron expressions in UTC; null: never."
  type        = object({ stop = string, start = string })
  default     = null

  validation {
    condition     = var.nightly_stop == null ? true : alltrue([for when in values(var.nightly_stop) : can(regex("^[0-9]{1,2} [0-9]{1,2} \\S+ \\S+ \\S+$", when))])
    error_message = "nightly_stop must hold two cron expressions of five fields with a minute and an hour, such as 0 19 * * *."
  }
}

variable "workers" {
  description = "Further hosts with Celery workers only; 0: the one host does all."
  type        = number
  default     = 0

  validation {
    condition     = var.workers >= 0 && var.workers <= 20 && floor(var.workers) == var.workers
    error_message = "workers must be a whole number from 0 to 20."
  }
}

variable "worker_instance_type" {
  description = "Size of those hosts; null: as the host."
  type        = string
  default     = null
}

variable "public" {
  description = "Load balancer in front of Airflow: its certificate and the address ranges that may reach it. Null: none, Airflow is reached through Session Manager."
  type        = object({ hostname = string, certificate_arn = string, allowed_cidrs = list(string) })
  default     = null

  validation {
    condition     = var.public == null ? true : can(regex("^arn:[a-z-]+:acm:", var.public.certificate_arn))
    error_message = "public.certificate_arn must be the ARN of a certificate in ACM: there is no login without TLS."
  }

  validation {
    condition     = var.public == null ? true : length(var.public.allowed_cidrs) > 0 && alltrue([for cidr in var.public.allowed_cidrs : can(cidrnetmask(cidr)) && cidr != "0.0.0.0/0"])
    error_message = "public.allowed_cidrs must name the council's own address ranges, not 0.0.0.0/0."
  }
}

variable "access_logs_bucket" {
  description = "Bucket that the load balancer writes its requests to."
  type        = string
  default     = null
}

variable "protected" {
  description = "Whether the load balancer is safe from `terraform destroy`."
  type        = bool
  default     = true
}

variable "warehouse_security_group_id" {
  description = "Group of the database, which the hosts may reach."
  type        = string
}
