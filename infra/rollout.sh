#!/usr/bin/env bash
# Replaces the containers of a service one by one, without a gap: infra/rollout.sh worker
# A new one, of the present image and configuration, is healthy and has all of its functions before an old one is asked to
# end; that one drains, and what it cannot finish goes back to the queue. Exit 1: a new one is not, and the old ones stay.
set -euo pipefail
service=${1:?usage: infra/rollout.sh SERVICE}
cd "$(dirname "$0")/.."

# Healthy is also who serves all functions but one. The image has no curl.
whole="const answer = await fetch('http://127.0.0.1:' + (process.env.SERVER_PORT || 3000) + '/readyz')
const { broken } = await answer.json()
for (const { name, error } of broken) console.error('rollout: ' + name + ' is broken: ' + error)
process.exitCode = broken.length > 0 ? 1 : 0"

old=$(docker compose ps --quiet "$service")
count=$(wc -w <<<"$old")
[ "$count" -gt 0 ] || { echo "rollout: no container of $service runs" >&2 && exit 1; }

known=$old
for container in $old; do
  docker compose up --detach --wait --no-deps --no-build --no-recreate --scale "$service=$((count + 1))" "$service"
  new=$(docker compose ps --quiet "$service" | grep --invert-match --line-regexp --fixed-strings "$known") ||
    { echo "rollout: no new container of $service came" >&2 && exit 1; }
  if ! docker exec "$new" node --input-type=module --eval "$whole"; then
    # Else it would go on taking its part of what comes.
    docker stop "$new"
    docker rm "$new"
    echo "rollout: stopped, and the new container removed; what was not replaced before runs on" >&2
    exit 1
  fi
  known+=$'\n'$new
  docker stop "$container"
  docker rm "$container"
done
