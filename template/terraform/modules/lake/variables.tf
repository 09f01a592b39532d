variable "name" {
  description = "Name of the bucket, unique in all of AWS."
  type        = string
}

variable "protected" {
  description = "Whether `terraform destroy` refuses to delete a bucket that holds landings."
  type        = bool
}
