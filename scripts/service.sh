#!/usr/bin/env bash
# The packaged worker as a service: see `scripts/board.sh service`. Wants the package in build/packages, and root.
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { printf 'error: %s\nhint: %s\n' "$1" "$2" >&2; exit 2; }
step() { printf '\n== %s\n' "$*"; }
cache=${XDG_CACHE_HOME:-$HOME/.cache}/guildhall
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}

[ "$(id -u)" -eq 0 ] || fail 'a container needs root' 'run it with sudo'
package=$(ls build/packages/guildhall_*_"$(dpkg --print-architecture)".deb 2>/dev/null | tail -1)
[ -n "$package" ] || fail 'there is no package in build/packages' 'run scripts/board.sh package'
command -v debootstrap systemd-nspawn >/dev/null || { apt-get update -qq && apt-get install -y -qq debootstrap systemd-container >/dev/null; }

step 'a Debian'
root=$cache/board/debian
[ -e "$root/etc/debian_version" ] || debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus bookworm "$root" >/dev/null
rm -rf "$root/var/lib/guildhall" "$root/var/lib/private/guildhall" "$root/etc/guildhall" "$root/var/log/journal"
work=$(mktemp -d)
# Without a system bus the container registers nowhere; it shares this machine's network, where the city listens.
systemd-nspawn --quiet -D "$root" --boot --register=no --keep-unit --console=pipe >"$work/boot.log" 2>&1 </dev/null & container=$!
city=
trap 'kill "$container" $city 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
until first=$(pgrep -P "$container" -x systemd) && inside=(nsenter -t "$first" -a) && "${inside[@]}" systemctl is-system-running 2>/dev/null | grep -Eq 'running|degraded'; do
  kill -0 "$container" || fail "the container ended: $(cat "$work/boot.log")" 'systemd-nspawn needs a kernel with namespaces'
  sleep 1
done
cp "$package" "$root/root/guildhall.deb"
"${inside[@]}" dpkg -i /root/guildhall.deb

step 'a city, and an operator with a worker'
cargo build --locked --bin guildhall
guildhall=$CARGO_TARGET_DIR/debug/guildhall
export GUILDHALL_DATA=$work/city
"$guildhall" up --workers 3 --listen 127.0.0.1:0 --coordinator-listen 127.0.0.1:0 --gateway-listen 127.0.0.1:0 >"$work/city.log" 2>&1 & city=$!
until grep -q 'stop with Ctrl-C' "$work/city.log"; do kill -0 "$city" || fail "the city ended: $(cat "$work/city.log")" 'run guildhall up by hand'; sleep 1; done
for name in operator worker; do
  "$guildhall" key new "$name"
  "$guildhall" stake gas 1 --to "$name" --key deployer
done
"$guildhall" stake deposit 1000 --to operator --key requester
"$guildhall" pool join 1 --key operator --worker worker --bond 1000

step 'the service'
install -d -m 700 "$root/etc/guildhall" "$root/var/lib/guildhall/keys"
cp "$work/city/keys/worker.json" "$root/var/lib/guildhall/keys/"
cp "$work/city/deployment.json" "$root/var/lib/guildhall/"
echo "chain = \"$(cat "$work/city/chain.url")\"" >"$root/var/lib/guildhall/config.toml"
cp "$work/city/keys/.password" "$root/etc/guildhall/password"
"${inside[@]}" systemctl start guildhall-worker
echo hello >"$work/input"
earned() { "${inside[@]}" journalctl -u guildhall-worker --no-pager | grep ' earned '; }
for deal in $(seq 12); do
  "$guildhall" deal create --key requester --app 1 --pool 1 --fuel 100M --confidence 16 "$work/input" --wait >/dev/null
  if earned; then
    "${inside[@]}" systemd-analyze security guildhall-worker --no-pager | tail -1
    exit
  fi
done
"${inside[@]}" journalctl -u guildhall-worker --no-pager >&2
fail "the service has earned in none of $deal deals" 'its log is above'
