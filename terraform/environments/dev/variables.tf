variable "alert_email" {
  description = "Email address that receives alarms and budget alerts."
  type        = string
}

variable "image_digest" {
  description = "Digest of the `wandle` image in ECR that the hosts run."
  type        = string
}

variable "region" {
  description = "AWS Region to deploy to."
  type        = string
  default     = "eu-west-2"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS Region, such as eu-west-2."
  }
}

variable "owner" {
  description = "Team that is responsible for the environment: the tag Owner, for cost reports."
  type        = string
  default     = "data-team"

  validation {
    condition     = can(regex("^[A-Za-z0-9 _.:/=+@-]{1,100}$", var.owner))
    error_message = "owner must be 1 to 100 characters that are allowed in an AWS tag value."
  }
}

variable "vpc_cidr" {
  description = "Private CIDR block of the VPC, if the default in settings.tf overlaps with the council's network."
  type        = string
  default     = null
}

variable "host_instance_type" {
  description = "EC2 instance type of the host, in place of the default in settings.tf."
  type        = string
  default     = null
}

variable "database_instance_class" {
  description = "RDS instance class, in place of the default in settings.tf."
  type        = string
  default     = null
}

variable "protected" {
  description = "Whether to protect the environment from `terraform destroy`, in place of the default in settings.tf. To delete an environment, see docs/deploy.md."
  type        = bool
  default     = null
}

variable "workers" {
  description = "Number of additional hosts that run only Celery workers."
  type        = number
  default     = 0
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
}

variable "api" {
  description = "The read API behind the public load balancer, under a host name of its own: the ARN of an ACM certificate, unless that of Airflow covers the name; processes; requests a second of each client; whether clients may have keys. Needs `public` and `api_image_digest`. Null: it does not run."
  type = object({
    hostname        = string
    certificate_arn = optional(string)
    workers         = optional(number)
    per_second      = optional(number)
    with_keys       = optional(bool)
  })
  default = null
}

variable "api_image_digest" {
  description = "Digest of the `wandle-api` image in ECR. Required if api is not null."
  type        = string
  default     = null
}

variable "login" {
  description = "OIDC login: issuer, client ID, and the comma-separated groups that can view, operate and administer Airflow. The client secret is stored in Secrets Manager. Null: Airflow's own user accounts."
  type = object({
    issuer       = string
    client_id    = string
    scopes       = optional(string)
    groups_claim = optional(string)
    viewers      = optional(string)
    operators    = optional(string)
    admins       = string
  })
  default = null
}

variable "serverless_sources" {
  description = "Sources that a Lambda function extracts. Their DAGs only load."
  type        = set(string)
  default     = []
}

variable "extract_image_digest" {
  description = "Digest of the `wandle-extract` image in ECR. Required if serverless_sources is not empty."
  type        = string
  default     = null
}
