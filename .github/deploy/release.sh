#!/usr/bin/env bash
# release.sh ENVIRONMENT WANDLE EXTRACT: apply with these digests, migrate, restart, try. If that
# fails, the images that ran before are applied again, and this fails.
set -euo pipefail
environment=$1 wandle=$2 extract=$3
services="api-server scheduler dag-processor triggerer worker"
# shellcheck source=.github/deploy/terraform.sh
. "$(dirname "$0")/terraform.sh"
begin "$environment"
before_wandle=$(running_wandle) before_extract=$(running_extract)

on_host() { # on_host COMMAND: by SSM on the environment's host; its output, and its exit code
  local host id state
  host=$(aws autoscaling describe-auto-scaling-groups \
    --auto-scaling-group-names "wandle-$environment-host" --output text \
    --query "AutoScalingGroups[0].Instances[?LifecycleState=='InService']|[0].InstanceId")
  id=$(aws ssm send-command --instance-ids "$host" --document-name AWS-RunShellScript \
    --timeout-seconds 600 --output text --query Command.CommandId \
    --parameters "$(jq -cn --arg command "$1" \
      '{commands: ["set -eu", $command], executionTimeout: ["1800"]}')")
  for _ in $(seq 200); do
    sleep "${POLL_SECONDS:-10}"
    state=$(aws ssm get-command-invocation --command-id "$id" --instance-id "$host" \
      --output text --query Status)
    case $state in
    Pending | InProgress | Delayed) ;;
    *)
      aws ssm get-command-invocation --command-id "$id" --instance-id "$host" --output text \
        --query '[StandardOutputContent, StandardErrorContent]'
      [ "$state" = Success ]
      return
      ;;
    esac
  done
  echo "release: the host gave no answer to: $1" >&2
  return 1
}

host_is_new() { # a new image or setting replaces the host: wait until that is over
  local state
  for _ in $(seq 200); do
    state=$(aws autoscaling describe-instance-refreshes --output text \
      --auto-scaling-group-name "wandle-$environment-host" \
      --max-records 1 --query 'InstanceRefreshes[0].Status')
    case $state in
    Successful | None) return 0 ;;
    Pending | InProgress | Baking) sleep "${POLL_SECONDS:-10}" ;;
    *)
      echo "release: replacing the host ended as $state" >&2
      return 1
      ;;
    esac
  done
  echo "release: the host was not replaced in time" >&2
  return 1
}

asleep() { # by its nightly stop: the morning's host starts with what was applied
  [ "$(aws autoscaling describe-auto-scaling-groups --output text \
    --auto-scaling-group-names "wandle-$environment-host" \
    --query 'AutoScalingGroups[0].DesiredCapacity')" = 0 ]
}

apply() { # apply WANDLE EXTRACT
  local images
  mapfile -t images < <(digests "$1" "$2")
  terraform apply -input=false -no-color -auto-approve "${images[@]}"
}

release() { # release WANDLE EXTRACT; each step by itself: `set -e` sleeps inside an `if`
  apply "$1" "$2" || return
  if asleep; then
    echo "release: $environment sleeps; nothing was tried on its host"
    return
  fi
  host_is_new &&
    on_host "wandle-compose run --rm migrate" &&
    on_host "wandle-compose up --detach
      wandle-compose up --detach --no-deps --wait $services" &&
    on_host "wandle-compose exec -T scheduler wandle doctor --aws" &&
    on_host "wandle-compose exec -T scheduler airflow dags test freshness_watch"
}

if release "$wandle" "$extract"; then
  echo "release: $environment runs $wandle"
  exit 0
fi
if [ -z "$before_wandle" ] || [ "$before_wandle" = "$wandle" ]; then
  echo "release: $environment does not run as it should, and there is nothing to go back to" >&2
  exit 1
fi
echo "release: going back to $before_wandle" >&2
release "$before_wandle" "$before_extract" || echo "release: going back failed, too" >&2
exit 1
