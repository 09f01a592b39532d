terraform {
  # The bucket is `bootstrap`'s: terraform init -backend-config=bucket=<state_bucket> -backend-config=region=<region>
  backend "s3" {
    key          = "wandle/prod.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
