#!/bin/sh
# Follows a stream of busu from a position kept in a file. Facts go to stdout.
#   REDIS_URL=redis://127.0.0.1:6379/0 examples/tail/tail.sh [stream [file]]
stream=${1:-busu:completions:{0\}}
file=${2:-tail.position}
cli() { redis-cli -u "$REDIS_URL" "$@"; }

[ -s "$file" ] || echo 0-0 >"$file"
while :; do
  position=$(cat "$file")
  trimmed=$(cli GET "$stream:trimmed") || { sleep 1; continue; } # Redis is away: nothing is lost by waiting
  last=$(printf '%s\n%s\n' "$position" "${trimmed:-0-0}" | sort -t- -k1,1n -k2,2n | tail -n1)
  if [ "$last" != "$position" ]; then
    echo "gap: everything behind $position up to $last was trimmed" >&2
    echo "$last" >"$file"
    position=$last
  fi
  # Per entry redis-cli prints its id, the name of its field, and the fact, a line each.
  cli XREAD COUNT 1000 BLOCK 1000 STREAMS "$stream" "$position" | while read -r id; do
    case $id in [0-9]*-[0-9]*) ;; *) continue ;; esac # the name of the stream
    read -r field && read -r fact && [ "$field" = event ] && printf '%s\n' "$fact" && echo "$id" >"$file"
  done
done
