#!/usr/bin/env bash
# plan.sh ENVIRONMENT FILE [--drift]: write the plan of an environment, with the images that run now, to
# FILE as Markdown. With --drift, fail if the plan contains changes.
set -euo pipefail
file=$(realpath "$2")
# shellcheck source=.github/deploy/terraform.sh
. "$(dirname "$0")/terraform.sh"
begin "$1"

# Before the first apply no image runs yet, nor does an API that was just added: plan with a placeholder.
wandle=$(running_wandle) api=$(running_api)
none=sha256:$(printf '0%.0s' {1..64})
mapfile -t images < <(digests "${wandle:-$none}" "$(running_extract)" "${api:-$none}")
changed=0
terraform plan -input=false -no-color -lock=false -detailed-exitcode "${images[@]}" >plan.txt 2>&1 ||
  changed=$?
{
  echo "### terraform plan: $1"
  echo
  echo '```'
  # A GitHub comment is limited to 65536 characters for two plans; the end contains the summary.
  tail -c 30000 plan.txt
  echo '```'
} >"$file"
if [ "$changed" = 1 ]; then
  cat plan.txt >&2
  exit 1
fi
if [ "${3:-}" = --drift ] && [ "$changed" = 2 ]; then
  echo "drift: $1 differs from the code; see the plan. Apply the code, or revert the manual change." >&2
  exit 2
fi
