#!/usr/bin/env bash
# release.sh ENVIRONMENT WANDLE EXTRACT API: apply with these image digests, migrate, restart, run the doctor
# and a DAG. On failure, apply the previous images again and fail.
set -euo pipefail
environment=$1 wandle=$2 extract=$3 api=$4
services="api-server scheduler dag-processor triggerer worker"
# shellcheck source=.github/deploy/terraform.sh
. "$(dirname "$0")/terraform.sh"
begin "$environment"
before_wandle=$(running_wandle) before_extract=$(running_extract) before_api=$(running_api)

on_host() { # on_host COMMAND: run a command on the host through SSM; print its output, return its status
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
  echo "release: the host did not finish this command in time: $1" >&2
  return 1
}

host_is_new() { # wait until the instance refresh that a new image or setting starts has finished
  local state
  for _ in $(seq 200); do
    state=$(aws autoscaling describe-instance-refreshes --output text \
      --auto-scaling-group-name "wandle-$environment-host" \
      --max-records 1 --query 'InstanceRefreshes[0].Status')
    case $state in
    Successful | None) return 0 ;;
    Pending | InProgress | Baking) sleep "${POLL_SECONDS:-10}" ;;
    *)
      echo "release: the replacement of the host ended with status $state" >&2
      return 1
      ;;
    esac
  done
  echo "release: the host was not replaced in time" >&2
  return 1
}

asleep() { # during the nightly stop there is no host; the next one starts with the applied image
  [ "$(aws autoscaling describe-auto-scaling-groups --output text \
    --auto-scaling-group-names "wandle-$environment-host" \
    --query 'AutoScalingGroups[0].DesiredCapacity')" = 0 ]
}

apply() { # apply WANDLE EXTRACT API
  local images
  mapfile -t images < <(digests "$1" "$2" "$3")
  terraform apply -input=false -no-color -auto-approve "${images[@]}"
}

release() { # release WANDLE EXTRACT API; returns explicitly because `set -e` is off inside an `if`
  apply "$1" "$2" "$3" || return
  if asleep; then
    echo "release: $environment sleeps (nightly stop), so nothing was run on its host"
    return
  fi
  host_is_new &&
    on_host "wandle-compose run --rm migrate" &&
    on_host "wandle-compose up --detach
      wandle-compose up --detach --no-deps --wait $services" &&
    on_host "wandle-compose exec -T scheduler wandle doctor --aws" &&
    on_host "wandle-compose exec -T scheduler airflow dags test freshness_watch"
}

if release "$wandle" "$extract" "$api"; then
  echo "release: $environment runs $wandle"
  exit 0
fi
if [ -z "$before_wandle" ] || [ "$before_wandle" = "$wandle" ]; then
  echo "release: $environment failed, and there is nothing to go back to" >&2
  exit 1
fi
echo "release: going back to $before_wandle" >&2
release "$before_wandle" "$before_extract" "${before_api:-$api}" || echo "release: going back failed as well" >&2
exit 1
