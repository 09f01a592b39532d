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

variable "boundary_arn" {
  description = "ARN of the permission boundary that `bootstrap` made; every role gets it."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:policy/", var.boundary_arn))
    error_message = "boundary_arn must be the ARN of an IAM policy; `bootstrap` prints it."
  }
}

variable "contracts_folder" {
  description = "Folder of the contracts; each source in it gets a role of its own."
  type        = string

  validation {
    condition     = length(fileset(var.contracts_folder, "*.yaml")) > 0
    error_message = "contracts_folder must be the folder of the contracts, include/sources: there is no *.yaml in it."
  }

  validation {
    condition = alltrue([
      for file in fileset(var.contracts_folder, "*.yaml") :
      try(yamldecode(file("${var.contracts_folder}/${file}")).name == trimsuffix(file, ".yaml"), false)
    ])
    error_message = "Every contract must be YAML that says its own name, the file's without .yaml: a role named after another source could write that one's landings. `wandle validate` says which is wrong."
  }

  validation {
    condition = alltrue([
      for file in fileset(var.contracts_folder, "*.yaml") :
      can(regex("^[a-z][a-z0-9_]{0,39}\\.yaml$", file))
    ])
    error_message = "A contract's name must be small letters, digits and _, at most 40: it becomes part of the role's name."
  }

  validation {
    condition = alltrue(flatten([
      for file in fileset(var.contracts_folder, "*.yaml") : [
        for parent in values(try(yamldecode(file("${var.contracts_folder}/${file}")).extract.parents, {})) :
        fileexists("${var.contracts_folder}/${parent.source}.yaml")
      ]
    ]))
    error_message = "A contract names a parent (extract.parents) that has no contract, so there is nothing that its role could be let read."
  }
}

variable "bucket_arn" {
  description = "ARN of the bucket."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:s3:::[a-z0-9.-]+$", var.bucket_arn))
    error_message = "bucket_arn must be the ARN of a bucket."
  }
}

variable "repository_arn" {
  description = "ARN of the ECR repository that the host pulls its image from."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/", var.repository_arn))
    error_message = "repository_arn must be the ARN of an ECR repository; `bootstrap` prints it."
  }
}

variable "admin_secret_arn" {
  description = "ARN of the secret that RDS keeps the admin's password in."
  type        = string
}
