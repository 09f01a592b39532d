
variable "region" {
  description = "The AWS region, such as eu-west-2."
  type        = string
  default     = "eu-west-2"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, such as eu-west-2."
  }
}

variable "github_repository" {
  description = "The repository that deploys, `<owner>/<name>`; nobody else's workflows get in."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.github_repository))
    error_message = "github_repository must be <owner>/<name>, such as rbk-lbs/wandle."
  }
}

variable "github_branch" {
  description = "The branch that deploys."
  type        = string
  default     = "main"

  validation {
    condition     = can(regex("^[A-Za-z0-9_./-]+$", var.github_branch))
    error_message = "github_branch must be the name of one branch, without wildcards."
  }
}

variable "environments" {
  description = "The environments, each with a role of its own that deploys it."
  type        = set(string)
  default     = ["dev", "prod"]

  validation {
    condition     = length(var.environments) > 0 && alltrue([for name in var.environments : can(regex("^[a-z][a-z0-9]{1,9}$", name))])
    error_message = "environments must be 2 to 10 small letters or digits each and begin with a letter, such as dev and prod."
  }

  validation {
    condition     = length(setintersection(var.environments, ["deploy", "plan", "boundary", "state"])) == 0
    error_message = "environments must not be deploy, plan, boundary or state: those names are bootstrap's own."
  }
}

variable "github_thumbprints" {
  description = "Thumbprints of the certificate of GitHub's tokens; empty: AWS trusts GitHub's by its own list."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for thumbprint in var.github_thumbprints : can(regex("^[0-9a-f]{40}$", thumbprint))])
    error_message = "github_thumbprints must be 40 hexadecimal digits each."
  }
}

variable "protected" {
  description = "Whether state and images are safe from `terraform destroy`."
  type        = bool
  default     = true
}
