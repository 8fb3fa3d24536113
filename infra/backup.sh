#!/usr/bin/env bash
# Copies the database and the pictures of a running stack into a new folder below backups/ (or BACKUPS, or the first
# argument), and prints its path. Nothing is stopped. Exit 0: all of it is there, and can be restored; else 1, and what
# was written is removed. Where S3_BUCKET is set the pictures are in the bucket and not in the backup, which stderr says;
# where MONGODB_URI names another server than the stack's own there is no backup.
#
# The database goes first. Its tasks name pictures that were on the disk before them, and files never change: all of
# them are still there when the files are copied, but for tasks that were deleted in between.
set -euo pipefail
cd "$(dirname "$0")/.."

backups=${1:-${BACKUPS:-backups}}
storage=${STORAGE:-storage}
target=$backups/revela-$(date -u +%Y%m%dT%H%M%SZ)
part=$target.part

fail() {
  echo "backup: $*" >&2
  exit 1
}
# Only what is whole has the name of a backup.
trap 'rm -rf "$part"' EXIT

[ -d "$storage" ] || fail "there is no folder $storage (STORAGE names another)"
[ ! -e "$target" ] || fail "$target is there already"
. infra/stores.sh
[ -z "$bucket" ] || echo "backup: the pictures are in the bucket $bucket and not in the backup: copy it by its own means" >&2
mkdir -p "$backups"
mkdir -m 700 "$part"

# The password is the container's own: it shows in no list of processes of this machine's users.
docker compose exec -T mongodb sh -c 'exec mongodump --username root --password "$MONGO_INITDB_ROOT_PASSWORD" \
  --authenticationDatabase admin --db imagedb --archive --gzip' >"$part/mongodb.archive.gz" ||
  fail 'mongodump failed'
# An archive of nothing is some bytes long; none at all is no archive.
gzip -t "$part/mongodb.archive.gz" && [ -s "$part/mongodb.archive.gz" ] || fail 'mongodump wrote no whole archive'

# Status 1 of GNU tar: a file went away while it was read, that of a task which was deleted. 2 is a failure.
# Names of files that are still being written begin with .tmp-; logs are in Loki.
status=0
tar --create --file "$part/storage.tar" --directory "$storage" --warning=no-file-removed --warning=no-file-changed \
  --exclude='.tmp-*' --exclude='./logs' . || status=$?
[ "$status" -le 1 ] || fail 'the pictures could not be read'

(cd "$part" && sha256sum mongodb.archive.gz storage.tar >SHA256SUMS) || fail 'no checksums could be written'
sync "$part"/* || fail 'the backup could not be written to the disk'
mv "$part" "$target"
sync "$backups"
echo "$target"
