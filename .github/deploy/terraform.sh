# shellcheck shell=bash
# What plan.sh and release.sh share; read by them. Needs STATE_BUCKET, AWS_REGION and TFVARS.

begin() { # begin ENVIRONMENT: go to its folder, with its variables and its state
  cd "$(dirname "${BASH_SOURCE[0]}")/../../terraform/environments/$1" || return
  printf '%s\n' "${TFVARS:?Set the variable TFVARS_... in GitHub: docs/deploy.md}" >github.auto.tfvars
  terraform init -input=false -no-color -lockfile=readonly \
    -backend-config="bucket=${STATE_BUCKET:?}" -backend-config="region=${AWS_REGION:?}" >/dev/null
}

# The digests of what runs, out of the state; empty before the first apply.
running_wandle() {
  terraform show -json | jq -r '[.. | objects | select(.type? == "aws_launch_template")
    | .values.user_data][0] // empty' | base64 -d | sed -n "s/^IMAGE='.*@\(sha256:[0-9a-f]*\)'$/\1/p"
}

running_extract() {
  terraform show -json | jq -r '[.. | objects | select(.type? == "aws_lambda_function")
    | .values.image_uri][0] // empty' | sed 's/.*@//'
}

digests() { # digests WANDLE EXTRACT: Terraform's arguments for them
  printf -- '-var=image_digest=%s\n' "$1"
  if [ -n "$2" ]; then printf -- '-var=extract_image_digest=%s\n' "$2"; fi
}
