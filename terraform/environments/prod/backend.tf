terraform {
  # terraform init -backend-config=bucket=<output state_bucket of bootstrap> -backend-config=region=<region>
  backend "s3" {
    key          = "wandle/prod.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
