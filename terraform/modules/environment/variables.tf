variable "environment" {
  description = "Name of the environment, such as dev or prod. Part of every resource name."
  type        = string
}

variable "region" {
  description = "AWS Region, such as eu-west-2."
  type        = string
}

variable "protected" {
  description = "Whether to protect the environment and its data from `terraform destroy`."
  type        = bool
  default     = true
}

variable "alert_email" {
  description = "Email address that receives alarms and budget alerts."
  type        = string
}

variable "image_digest" {
  description = "Digest of the `wandle` image in ECR that the hosts run."
  type        = string

  validation {
    condition     = can(regex("^sha256:[0-9a-f]{64}$", var.image_digest))
    error_message = "image_digest must be sha256: followed by 64 hexadecimal digits, as printed by `docker push`. Tags are not accepted because they can be moved."
  }
}

variable "network" {
  description = "Network: private CIDR block of the VPC, number of NAT gateways, number of Availability Zones with interface endpoints."
  type        = object({ cidr = string, nat_gateways = number, endpoint_zones = number })
}

variable "host" {
  description = "Airflow host: EC2 instance type and disk size in GB."
  type        = object({ instance_type = string, disk_gb = number })
}

variable "workers" {
  description = "Number of additional hosts that run only Celery workers."
  type        = number
  default     = 0
}

variable "database" {
  description = "PostgreSQL on RDS: instance class, initial and maximum storage in GB, days of point-in-time recovery, whether it has a standby in a second Availability Zone, and whether destroying it creates a final snapshot."
  type = object({
    instance_class   = string
    storage_gb       = number
    storage_limit_gb = number
    backup_days      = number
    multi_az         = bool
    final_snapshot   = bool
  })
}

variable "retention_days" {
  description = "Days to keep logs in CloudWatch, Airflow task logs in S3, and S3 and load balancer access logs."
  type        = object({ logs = number, task_logs = number, access_logs = number })
}

variable "landing_archive_days" {
  description = "Days before landings move to Glacier Instant Retrieval."
  type        = number
}

variable "monthly_budget_usd" {
  description = "Monthly cost budget in US dollars."
  type        = number
}

variable "nightly_stop" {
  description = "Cron expressions (UTC) that stop and start the hosts and the database. Null: they run all the time."
  type        = object({ stop = string, start = string })
  default     = null
}

variable "public" {
  description = "Public load balancer for Airflow: host name, ACM certificate, and CIDR blocks allowed to connect. Null: Airflow is reached through Session Manager."
  type        = object({ hostname = string, certificate_arn = string, allowed_cidrs = list(string) })
  default     = null
}

variable "website" {
  description = "Publishes the dashboard and the open data on the internet, by CloudFront; `{}` under the name that CloudFront assigns. `domain`: the council's own host name, and the ARN of its ACM certificate in us-east-1. Null: they can be seen only in Airflow."
  type        = object({ domain = optional(object({ hostname = string, certificate_arn = string })) })
  default     = null
}

variable "publish_approval_hours" {
  description = "Hours that a person has to approve a publication before it goes out; without an answer, it does not. Null: nobody is asked."
  type        = number
  default     = null

  validation {
    condition     = var.publish_approval_hours == null || try(var.publish_approval_hours >= 1 && var.publish_approval_hours <= 720 && floor(var.publish_approval_hours) == var.publish_approval_hours, false)
    error_message = "publish_approval_hours must be a whole number from 1 to 720 (30 days)."
  }
}

variable "api" {
  description = "The read API behind the public load balancer, under a host name of its own: the ARN of an ACM certificate, unless that of Airflow covers the name; processes; requests a second of each client; whether clients may have keys. Needs `public` and `api_image_digest`. Null: it does not run."
  type = object({
    hostname        = string
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
}

variable "api_image_digest" {
  description = "Digest of the `wandle-api` image in ECR. Required if api is not null."
  type        = string
  default     = null

  validation {
    condition     = var.api_image_digest == null ? var.api == null : can(regex("^sha256:[0-9a-f]{64}$", var.api_image_digest))
    error_message = "api_image_digest must be sha256: followed by 64 hexadecimal digits. It is required if api is not null."
  }
}

variable "login" {
  description = "OIDC login: issuer, client ID, and the comma-separated groups that can view, operate and administer Airflow. The client secret is stored in Secrets Manager. Null: Airflow's own user accounts."
  type = object({
    issuer       = string
    client_id    = string
    scopes       = optional(string, "openid email profile")
    groups_claim = optional(string, "groups")
    viewers      = optional(string, "")
    operators    = optional(string, "")
    admins       = string
  })
  default = null

  validation {
    condition     = var.login == null ? true : startswith(var.login.issuer, "https://")
    error_message = "login.issuer must be the https:// URL of the identity provider."
  }

  validation {
    condition     = var.login == null ? true : length(var.login.admins) > 0
    error_message = "login.admins must name at least one group; otherwise nobody can administer Airflow."
  }
}

variable "serverless_sources" {
  description = "Sources that a Lambda function extracts. Their DAGs only load."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for source in var.serverless_sources : fileexists("${path.module}/../../../include/sources/${source}.yaml")])
    error_message = "serverless_sources must contain only sources that have a contract in include/sources."
  }
}

variable "extract_image_digest" {
  description = "Digest of the `wandle-extract` image in ECR. Required if serverless_sources is not empty."
  type        = string
  default     = null

  validation {
    condition     = var.extract_image_digest == null ? length(var.serverless_sources) == 0 : can(regex("^sha256:[0-9a-f]{64}$", var.extract_image_digest))
    error_message = "extract_image_digest must be sha256: followed by 64 hexadecimal digits. It is required if serverless_sources is not empty."
  }
}
