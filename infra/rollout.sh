#!/usr/bin/env bash
# Replaces the containers of a service one by one, without a gap: infra/rollout.sh worker
# A new one, of the present image and configuration, is healthy before an old one is asked to end; that one drains, and
# what it cannot finish goes back to the queue.
set -euo pipefail
service=${1:?usage: infra/rollout.sh SERVICE}
cd "$(dirname "$0")/.."

old=$(docker compose ps --quiet "$service")
count=$(wc -w <<<"$old")
[ "$count" -gt 0 ] || { echo "rollout: no container of $service runs" >&2 && exit 1; }

for container in $old; do
  docker compose up --detach --wait --no-deps --no-build --no-recreate --scale "$service=$((count + 1))" "$service"
  docker stop "$container"
  docker rm "$container"
done
