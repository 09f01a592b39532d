#!/usr/bin/env bash
# plan.sh ENVIRONMENT FILE [--drift]: what `terraform apply` would change, with the images that run
# now, as Markdown in FILE. With --drift it fails if that is anything.
set -euo pipefail
file=$(realpath "$2")
# shellcheck source=.github/deploy/terraform.sh
. "$(dirname "$0")/terraform.sh"
begin "$1"

# Before the first apply nothing runs: any digest will do for a plan.
wandle=$(running_wandle)
mapfile -t images < <(digests "${wandle:-sha256:$(printf '0%.0s' {1..64})}" "$(running_extract)")
changed=0
terraform plan -input=false -no-color -lock=false -detailed-exitcode "${images[@]}" >plan.txt 2>&1 ||
  changed=$?
{
  echo "### terraform plan: $1"
  echo
  echo '```'
  # A comment of GitHub holds 65536 characters, for two plans; the end says what comes of it.
  tail -c 30000 plan.txt
  echo '```'
} >"$file"
if [ "$changed" = 1 ]; then
  cat plan.txt >&2
  exit 1
fi
if [ "${3:-}" = --drift ] && [ "$changed" = 2 ]; then
  echo "drift: $1 is not what the code says; see the plan. Apply it, or take the change back." >&2
  exit 2
fi
