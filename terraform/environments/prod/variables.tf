variable "alert_email" {
  description = "Who is told when something is wrong or dear."
  type        = string

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alert_email))
    error_message = "alert_email must be an e-mail address: alarms and the budget are sent there."
  }
}

variable "image_digest" {
  description = "Digest of the image `wandle` in ECR that the host runs: sha256:<64 hexadecimal digits>."
  type        = string

  validation {
    condition     = can(regex("^sha256:[0-9a-f]{64}$", var.image_digest))
    error_message = "image_digest must be sha256: and 64 hexadecimal digits, as `docker push` prints it: a tag can be moved."
  }
}

variable "region" {
  description = "The AWS region."
  type        = string
  default     = "eu-west-2"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, such as eu-west-2."
  }
}

variable "owner" {
  description = "Team that is asked about it: the tag Owner, for the bill."
  type        = string
  default     = "data-team"

  validation {
    condition     = can(regex("^[A-Za-z0-9 _.:/=+@-]{1,100}$", var.owner))
    error_message = "owner must be 1 to 100 characters that AWS takes in a tag."
  }
}

variable "vpc_cidr" {
  description = "Private address range of the VPC; null: the environment's own. To be set where it clashes with the council's network."
  type        = string
  default     = null
}

variable "host_instance_type" {
  description = "Size of the host; null: the environment's own."
  type        = string
  default     = null
}

variable "database_instance_class" {
  description = "Size of the database; null: the environment's own."
  type        = string
  default     = null
}

variable "protected" {
  description = "Whether the environment refuses to be destroyed; null: the environment's own. docs/deploy.md says how one is torn down."
  type        = bool
  default     = null
}

variable "workers" {
  description = "Further hosts with Celery workers only."
  type        = number
  default     = 0
}

variable "public" {
  description = "Load balancer in front of Airflow: its host name, its certificate in ACM, and the address ranges that may reach it. Null: Airflow is reached through Session Manager."
  type        = object({ hostname = string, certificate_arn = string, allowed_cidrs = list(string) })
  default     = null
}

variable "login" {
  description = "OIDC login: the issuer, Wandle's client there, and which groups (comma-separated) see, operate and administer Airflow. The client secret goes into Secrets Manager. Null: Airflow's own users."
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
    error_message = "login.issuer must be the https:// address of the identity provider."
  }

  validation {
    condition     = var.login == null ? true : length(var.login.admins) > 0
    error_message = "login.admins must name at least one group: else nobody could give anybody else a role."
  }
}

variable "serverless_sources" {
  description = "Sources that a Lambda extracts; their DAGs only load."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for source in var.serverless_sources : fileexists("${path.root}/../../../include/sources/${source}.yaml")])
    error_message = "serverless_sources names a source that has no contract in include/sources."
  }
}

variable "extract_image_digest" {
  description = "Digest of the image `wandle-extract` in ECR; needed with serverless_sources."
  type        = string
  default     = null

  validation {
    condition     = var.extract_image_digest == null ? length(var.serverless_sources) == 0 : can(regex("^sha256:[0-9a-f]{64}$", var.extract_image_digest))
    error_message = "extract_image_digest must be sha256: and 64 hexadecimal digits; it is needed when serverless_sources names a source."
  }
}
