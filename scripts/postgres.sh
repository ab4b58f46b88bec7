#!/usr/bin/env bash
# Runs a command beside a PostgreSQL of its own, which it finds in GUILDHALL_TEST_POSTGRES: `scripts/postgres.sh cargo test ...`.
# The server is Debian's; its files are temporary, it listens on loopback, and it ends with the command.
set -euo pipefail

programs() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1; }
[ -n "$(programs)" ] || {
  sudo=''; [ "$(id -u)" -eq 0 ] || sudo=sudo
  $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends postgresql >/dev/null
}
bin=$(programs)
data=$(mktemp -d)
# It refuses to run as root.
as=()
if [ "$(id -u)" -eq 0 ]; then
  chown postgres "$data"
  as=(runuser -u postgres --)
fi
(
  cd "$data"
  "${as[@]}" "$bin/initdb" --pgdata "$data/files" --username test --auth trust --no-sync >"$data/log"
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  echo "$port" >"$data/port"
  # What tests keep may be lost with the machine.
  "${as[@]}" "$bin/pg_ctl" --pgdata "$data/files" --log "$data/files/log" --wait --silent \
    --options "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off" start
) || { cat "$data/log" "$data/files/log" >&2; exit 1; }
trap '(cd "$data" && "${as[@]}" "$bin/pg_ctl" --pgdata "$data/files" --mode immediate --silent stop); rm -rf "$data"' EXIT
GUILDHALL_TEST_POSTGRES="postgres://test@127.0.0.1:$(cat "$data/port")/postgres" "$@"
