# Sourced by backup.sh and restore.sh, which define `fail`: are the stores of the applications those that these reach? A
# backup of the bundled MongoDB is none where .env names another.

config=$(docker compose config) || fail 'docker compose config failed'

# Of the API's environment, as compose makes it of its files and .env.
setting() {
  printf '%s\n' "$config" | awk -v key="      $1: " '
    /^[^ ]/ { top = $1 }
    /^  [^ ]/ { service = $1 }
    top == "services:" && service == "api-backend:" && index($0, key) == 1 {
      value = substr($0, length(key) + 1)
      gsub(/^["\047]|["\047]$/, "", value)
      print value
    }'
}

# Not shown: a password is in it.
[[ $(setting MONGODB_URI) =~ ^mongodb://([^@/]*@)?(poc-)?mongodb(:27017)?/imagedb(\?.*)?$ ]] ||
  fail "MONGODB_URI names another database than this stack's own (imagedb of mongodb:27017): copy that by its own means"

bucket=$(setting S3_BUCKET)
