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

variable "vpc_id" {
  description = "ID of the VPC."
  type        = string
}

variable "private_subnet_ids" {
  description = "IDs of the private subnets that the hosts run in."
  type        = list(string)

  validation {
    condition     = length(var.private_subnet_ids) >= 2
    error_message = "private_subnet_ids must contain at least two subnets, so that a host can be replaced in another Availability Zone."
  }
}

variable "public_subnet_ids" {
  description = "IDs of the public subnets for the load balancer."
  type        = list(string)
  default     = []
}

variable "instance_type" {
  description = "EC2 instance type of the host, such as t4g.xlarge (Graviton) or m7i.xlarge."
  type        = string

  validation {
    condition     = can(regex("^(t4g|t3|t3a|m6g|m7g|m8g|m6i|m7i|m7a|c7g|c8g|c7i|r7g|r8g|r7i)\\.(large|[0-9]*xlarge)$", var.instance_type))
    error_message = "instance_type must be an EC2 instance type of size large or above, such as t4g.xlarge, m7g.xlarge or m7i.xlarge."
  }
}

variable "disk_gb" {
  description = "Size of the encrypted root volume in GB."
  type        = number

  validation {
    condition     = var.disk_gb >= 30 && floor(var.disk_gb) == var.disk_gb
    error_message = "disk_gb must be a whole number of at least 30, because the images alone need 10 GB."
  }
}

variable "instance_profile_arn" {
  description = "ARN of the hosts' instance profile."
  type        = string
}

variable "image" {
  description = "Image to run, pinned by digest: `<registry>/<repository>@sha256:<digest>`."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com(\\.cn)?/[a-z0-9/_-]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must be an ECR image with its digest, <account>.dkr.ecr.<region>.amazonaws.com/<repository>@sha256:<64 hexadecimal digits>. Tags are not accepted because they can be moved."
  }
}

variable "settings" {
  description = "Environment variables for every container. Must not contain secrets."
  type        = map(string)

  validation {
    condition     = alltrue([for name, value in var.settings : can(regex("^[A-Z][A-Z0-9_]*$", name)) && !can(regex("[\\n']", value))])
    error_message = "settings must have uppercase names and values without line breaks and single quotes."
  }
}

variable "admin_secret_arn" {
  description = "ARN of the database admin's secret: WANDLE_ADMIN_SECRET, passed only to the service `migrate`."
  type        = string
}

variable "nightly_stop" {
  description = "Cron expressions (UTC) that stop and start the hosts. Null: they run all the time."
  type        = object({ stop = string, start = string })
  default     = null

  validation {
    condition     = var.nightly_stop == null ? true : alltrue([for when in values(var.nightly_stop) : can(regex("^[0-9]{1,2} [0-9]{1,2} \\S+ \\S+ \\S+$", when))])
    error_message = "nightly_stop must contain two cron expressions with five fields and a fixed minute and hour, such as 0 19 * * *."
  }
}

variable "workers" {
  description = "Number of additional hosts that run only Celery workers."
  type        = number
  default     = 0

  validation {
    condition     = var.workers >= 0 && var.workers <= 20 && floor(var.workers) == var.workers
    error_message = "workers must be a whole number between 0 and 20."
  }
}

variable "worker_instance_type" {
  description = "EC2 instance type of the worker hosts. Null: the same as the host."
  type        = string
  default     = null
}

variable "public" {
  description = "Public load balancer for Airflow: host name, ACM certificate, and CIDR blocks allowed to connect. Null: Airflow is reached through Session Manager."
  type        = object({ hostname = string, certificate_arn = string, allowed_cidrs = list(string) })
  default     = null

  validation {
    condition     = var.public == null ? true : can(regex("^arn:[a-z-]+:acm:", var.public.certificate_arn))
    error_message = "public.certificate_arn must be the ARN of an ACM certificate, because login requires TLS."
  }

  validation {
    condition     = var.public == null ? true : length(var.public.allowed_cidrs) > 0 && alltrue([for cidr in var.public.allowed_cidrs : can(cidrnetmask(cidr)) && cidr != "0.0.0.0/0"])
    error_message = "public.allowed_cidrs must contain at least one IPv4 CIDR block, and not 0.0.0.0/0."
  }
}

variable "api" {
  description = "The read API behind the public load balancer, under a host name of its own: its image, pinned by digest; the ARN of an ACM certificate, unless that of Airflow covers the name; processes; requests a second of each client; whether clients may have keys, from the secret `api_keys`. Null: it does not run."
  type = object({
    hostname        = string
    image           = string
    certificate_arn = optional(string)
    workers         = optional(number, 1)
    per_second      = optional(number, 50)
    with_keys       = optional(bool, false)
  })
  default = null

  validation {
    condition     = var.api == null || var.public != null
    error_message = "api needs the public load balancer: set `public`, too."
  }

  validation {
    condition     = var.api == null || var.public == null ? true : can(regex("^[a-z0-9.-]+\\.[a-z]+$", var.api.hostname)) && var.api.hostname != var.public.hostname
    error_message = "api.hostname must be a host name, and another one than that of Airflow (public.hostname)."
  }

  validation {
    condition     = var.api == null ? true : can(regex("^[0-9]{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com(\\.cn)?/[a-z0-9/_-]+@sha256:[0-9a-f]{64}$", var.api.image))
    error_message = "api.image must be an ECR image with its digest. Tags are not accepted because they can be moved."
  }

  validation {
    condition     = var.api == null ? true : var.api.workers >= 1 && var.api.workers <= 16 && floor(var.api.workers) == var.api.workers && var.api.per_second > 0
    error_message = "api.workers must be a whole number between 1 and 16, and api.per_second more than 0."
  }
}

variable "access_logs_bucket" {
  description = "Name of the bucket for the load balancer's access logs."
  type        = string
  default     = null
}

variable "protected" {
  description = "Whether to protect the load balancer from `terraform destroy`."
  type        = bool
  default     = true
}

variable "warehouse_security_group_id" {
  description = "ID of the database's security group."
  type        = string
}
