
variable "region" {
  description = "AWS Region to deploy to."
  type        = string
  default     = "eu-west-2"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS Region, such as eu-west-2."
  }
}

variable "github_repository" {
  description = "GitHub repository whose workflows can deploy: `<owner>/<name>`."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.github_repository))
    error_message = "github_repository must be <owner>/<name>, such as rbk-lbs/wandle."
  }
}

variable "github_branch" {
  description = "Branch whose workflows can deploy."
  type        = string
  default     = "main"

  validation {
    condition     = can(regex("^[A-Za-z0-9_./-]+$", var.github_branch))
    error_message = "github_branch must be the name of a single branch, without wildcards."
  }
}

variable "environments" {
  description = "Names of the environments. Each gets its own deployment role."
  type        = set(string)
  default     = ["dev", "prod"]

  validation {
    condition     = length(var.environments) > 0 && alltrue([for name in var.environments : can(regex("^[a-z][a-z0-9]{1,9}$", name))])
    error_message = "Every name in environments must be 2 to 10 lowercase letters or digits and start with a letter, such as dev."
  }

  validation {
    condition     = length(setintersection(var.environments, ["deploy", "plan", "boundary", "state"])) == 0
    error_message = "environments must not contain deploy, plan, boundary or state, which bootstrap uses itself."
  }
}

variable "github_thumbprints" {
  description = "Certificate thumbprints of GitHub's OIDC provider. Empty: AWS uses its own list of trusted certificate authorities."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for thumbprint in var.github_thumbprints : can(regex("^[0-9a-f]{40}$", thumbprint))])
    error_message = "Every thumbprint in github_thumbprints must be 40 hexadecimal digits."
  }
}

variable "protected" {
  description = "Whether to protect the state and the images from `terraform destroy`."
  type        = bool
  default     = true
}
