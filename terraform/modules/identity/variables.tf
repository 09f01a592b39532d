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

variable "boundary_arn" {
  description = "ARN of the permissions boundary from `bootstrap`, attached to every role."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:policy/", var.boundary_arn))
    error_message = "boundary_arn must be the ARN of an IAM policy: the output `boundary_arn` of `bootstrap`."
  }
}

variable "contracts_folder" {
  description = "Path of the folder of contracts. Each source gets its own role."
  type        = string

  validation {
    condition     = length(fileset(var.contracts_folder, "*.yaml")) > 0
    error_message = "contracts_folder must be the folder of contracts, include/sources. It contains no *.yaml files."
  }

  validation {
    condition = alltrue([
      for file in fileset(var.contracts_folder, "*.yaml") :
      try(yamldecode(file("${var.contracts_folder}/${file}")).name == trimsuffix(file, ".yaml"), false)
    ])
    error_message = "Every contract must be valid YAML whose name equals its file name without .yaml; otherwise its role could write another source's landings. Run `wandle validate` to find the wrong contract."
  }

  validation {
    condition = alltrue([
      for file in fileset(var.contracts_folder, "*.yaml") :
      can(regex("^[a-z][a-z0-9_]{0,39}\\.yaml$", file))
    ])
    error_message = "A contract's name must start with a lowercase letter and contain at most 40 lowercase letters, digits and underscores, because it is part of a role name."
  }

  validation {
    condition = alltrue(flatten([
      for file in fileset(var.contracts_folder, "*.yaml") : [
        for parent in values(try(yamldecode(file("${var.contracts_folder}/${file}")).extract.parents, {})) :
        fileexists("${var.contracts_folder}/${parent.source}.yaml")
      ]
    ]))
    error_message = "Every parent of a contract (extract.parents) must have a contract itself, because the role needs read access to its landings."
  }

  validation {
    condition = alltrue([
      for file in fileset(var.contracts_folder, "*.yaml") :
      try(yamldecode(file("${var.contracts_folder}/${file}")).extract.kind, "") != "landing" ||
      fileexists("${var.contracts_folder}/${try(yamldecode(file("${var.contracts_folder}/${file}")).extract.source, "")}.yaml")
    ])
    error_message = "The source whose landings a contract reads (extract.source) must have a contract itself, because the role needs read access to its landings."
  }

  validation {
    condition = alltrue([
      for file in fileset(var.contracts_folder, "*.yaml") :
      can(regex("^[a-z][a-z0-9_]{0,47}$", try(yamldecode(file("${var.contracts_folder}/${file}")).extract.auth.secret, "none")))
    ])
    error_message = "The secret of a contract (extract.auth.secret) must be a name of at most 48 lowercase letters, digits and underscores, because it is part of the ARN that its role can read."
  }

  validation {
    condition = alltrue(flatten([
      for file in fileset(var.contracts_folder, "*.yaml") : [
        for field in ["webhook", "slack"] :
        can(regex("^[a-z][a-z0-9_]{0,47}$", try(yamldecode(file("${var.contracts_folder}/${file}")).alerts[field], "none")))
      ]
    ]))
    error_message = "The secret of a contract's alerts (alerts.webhook, alerts.slack) must be a name of at most 48 lowercase letters, digits and underscores, because it is part of the ARN that the role `alert` can read."
  }

  validation {
    condition = alltrue([
      for file in fileset(var.contracts_folder, "*.yaml") :
      can(regex("^wandle-([A-Za-z0-9_-]|\\{environment\\})+$", try(yamldecode(file("${var.contracts_folder}/${file}")).alerts.sns, "wandle-none")))
    ])
    error_message = "The topic of a contract (alerts.sns) must be the name of a topic of this account that begins with wandle-, because the permissions boundary allows no other."
  }
}

variable "bucket_arn" {
  description = "ARN of the lake bucket."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:s3:::[a-z0-9.-]+$", var.bucket_arn))
    error_message = "bucket_arn must be the ARN of an S3 bucket."
  }
}

variable "repository_arn" {
  description = "ARN of the ECR repository of the host's image."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/", var.repository_arn))
    error_message = "repository_arn must be the ARN of an ECR repository."
  }
}

variable "api_repository_arn" {
  description = "ARN of the ECR repository of the read API's image. Null: there is no API, and no role for it."
  type        = string
  default     = null

  validation {
    condition     = var.api_repository_arn == null ? true : can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/", var.api_repository_arn))
    error_message = "api_repository_arn must be the ARN of an ECR repository."
  }
}

variable "admin_secret_arn" {
  description = "ARN of the secret in which RDS keeps the admin password."
  type        = string
}

variable "website_arn" {
  description = "ARN of the CloudFront distribution that serves the published files. Null: none does."
  type        = string
  default     = null
}

variable "has_website" {
  description = "Whether there is such a distribution. Known before its ARN is."
  type        = bool
  default     = false
}
