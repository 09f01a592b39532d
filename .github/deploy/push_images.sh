#!/usr/bin/env bash
# Build the images, push them with the commit as tag, and print `name=digest` for each.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=${GITHUB_SHA::12}

aws ecr get-login-password | docker login --username AWS --password-stdin "${REGISTRY:?}" >&2

push() { # push NAME REPOSITORY TARGET
  local image="$REGISTRY/$2:$version"
  # Tags are immutable, so a second run for the same commit reuses the existing image.
  if ! docker pull --quiet "$image" >&2; then
    docker build --target "$3" --build-arg "CODE_VERSION=$version" --tag "$image" . >&2
    docker push --quiet "$image" >&2
  fi
  echo "$1=$(docker image inspect --format '{{index .RepoDigests 0}}' "$image" | sed 's/.*@//')"
}

push wandle wandle airflow
push extract wandle-extract extract
push api wandle-api api
