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

variable "boundary_arn" {
  description = "ARN of the permissions boundary from `bootstrap`, attached to every role."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:policy/", var.boundary_arn))
    error_message = "boundary_arn must be the ARN of an IAM policy: the output `boundary_arn` of `bootstrap`."
  }
}

variable "cidr" {
  description = "Private IPv4 CIDR block of the VPC, from /16 to /22."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.cidr)) && can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.cidr))
    error_message = "cidr must be a private IPv4 CIDR block, such as 10.20.0.0/16."
  }

  validation {
    condition     = try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 22, false)
    error_message = "cidr must be between /16 and /22, to fit public and private subnets in two Availability Zones."
  }
}

variable "nat_gateways" {
  description = "Number of NAT gateways: 1, shared by both Availability Zones, or 2, one per Availability Zone for resilience."
  type        = number

  validation {
    condition     = contains([1, 2], var.nat_gateways)
    error_message = "nat_gateways must be 1 or 2, because the VPC has two Availability Zones."
  }
}

variable "endpoint_zones" {
  description = "Number of Availability Zones with interface endpoints: 1 or 2. Each endpoint is billed per zone and hour."
  type        = number

  validation {
    condition     = contains([1, 2], var.endpoint_zones)
    error_message = "endpoint_zones must be 1 or 2, because the VPC has two Availability Zones."
  }
}

variable "buckets" {
  description = "Names of the buckets that can be reached through the S3 endpoint."
  type        = list(string)

  validation {
    condition     = length(var.buckets) > 0
    error_message = "buckets must contain at least one bucket."
  }
}
