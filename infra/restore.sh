#!/usr/bin/env bash
# Puts a backup of infra/backup.sh back: infra/restore.sh backups/revela-…
# The database becomes the backup's; pictures of it are put beside those that are there, and the collector removes what
# no task names. The applications stop meanwhile. MongoDB and Redis must run. What lies in a bucket (S3_BUCKET) is not
# touched, which stderr says; where MONGODB_URI names another server than the stack's own nothing is.
# Exit 0: restored, and the applications are started. 1: failed; where it had begun, the applications stay stopped.
set -euo pipefail
source=$(realpath -e "${1:?usage: infra/restore.sh FOLDER}") || exit 1
cd "$(dirname "$0")/.."
storage=${STORAGE:-storage}

fail() {
  echo "restore: $*" >&2
  exit 1
}

# Before anything is touched.
[ -f "$source/SHA256SUMS" ] || fail "$source is no backup: it has no SHA256SUMS"
(cd "$source" && sha256sum --quiet --check SHA256SUMS) || fail "$source is damaged"
for file in mongodb.archive.gz storage.tar; do
  grep -q " $file\$" "$source/SHA256SUMS" || fail "$source is no whole backup: it has no $file"
done
tar --list --file "$source/storage.tar" >/dev/null || fail 'the archive of the pictures is damaged'
[ -d "$storage" ] || fail "there is no folder $storage (STORAGE names another)"
. infra/stores.sh
[ -z "$bucket" ] || echo "restore: the pictures are in the bucket $bucket and not in the backup: it stays as it is" >&2

docker compose stop api-backend worker || fail 'the applications could not be stopped'

docker compose exec -T mongodb sh -c 'exec mongorestore --username root --password "$MONGO_INITDB_ROOT_PASSWORD" \
  --authenticationDatabase admin --nsInclude "imagedb.*" --drop --archive --gzip' \
  <"$source/mongodb.archive.gz" || fail 'mongorestore failed: the database may hold a part of the backup; run this again'

tar --extract --file "$source/storage.tar" --directory "$storage" --preserve-permissions --no-overwrite-dir || fail 'the pictures could not be written'

# What Redis remembers is of the time before: answers that it keeps, and messages. The tasks send theirs again.
docker compose exec -T redis redis-cli FLUSHALL | grep -q OK || fail 'Redis could not be emptied'

docker compose start api-backend worker || fail 'restored, but the applications do not start'
echo "restored from $source"
