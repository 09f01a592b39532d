# shellcheck shell=bash
# Functions for plan.sh and release.sh, which source this file. Needs STATE_BUCKET, AWS_REGION and TFVARS.

begin() { # begin ENVIRONMENT: change to its root, write its variables, initialize its state
  cd "$(dirname "${BASH_SOURCE[0]}")/../../terraform/environments/$1" || return
  printf '%s\n' "${TFVARS:?Set the variable TFVARS_... in GitHub: docs/deploy.md}" >github.auto.tfvars
  terraform init -input=false -no-color -lockfile=readonly \
    -backend-config="bucket=${STATE_BUCKET:?}" -backend-config="region=${AWS_REGION:?}" >/dev/null
}

# The digests of the running images, from the state; empty before the first apply.
running_wandle() {
  terraform show -json | jq -r '[.. | objects | select(.type? == "aws_launch_template")
    | .values.user_data][0] // empty' | base64 -d | sed -n "s/^IMAGE='.*@\(sha256:[0-9a-f]*\)'$/\1/p"
}

running_extract() {
  terraform show -json | jq -r '[.. | objects | select(.type? == "aws_lambda_function")
    | .values.image_uri][0] // empty' | sed 's/.*@//'
}

running_api() { # only the main host has one
  terraform show -json | jq -r '.. | objects | select(.type? == "aws_launch_template")
    | .values.user_data | @base64d' | sed -n "s/^API_IMAGE='.*@\(sha256:[0-9a-f]*\)'$/\1/p"
}

digests() { # digests WANDLE EXTRACT API: print the Terraform arguments for them
  printf -- '-var=image_digest=%s\n' "$1"
  if [ -n "$2" ]; then printf -- '-var=extract_image_digest=%s\n' "$2"; fi
  if [ -n "$3" ]; then printf -- '-var=api_image_digest=%s\n' "$3"; fi
}
