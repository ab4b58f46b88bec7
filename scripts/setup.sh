#!/usr/bin/env bash
# Installs what the build needs and this machine lacks. Does nothing, quickly, when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[2m%s\033[0m\n' "$*" >&2; }
fail() { printf 'error: %s\nhint: %s\n' "$1" "$2" >&2; exit 2; }

command -v cargo >/dev/null || fail 'cargo is not on the PATH' 'install Rust 1.95 or newer with rustup: https://rustup.rs'
command -v node >/dev/null || fail 'node is not on the PATH' 'install Node.js 20 or newer'
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || fail "node is $(node --version)" 'install Node.js 20 or newer'
command -v python3 >/dev/null || fail 'python3 is not on the PATH' 'install Python 3.11 or newer'

packages=()
command -v cc >/dev/null || packages+=(build-essential)
command -v make >/dev/null || packages+=(make)
python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3-venv)
python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)
if [ "${#packages[@]}" -gt 0 ]; then
  say "installing Debian packages: ${packages[*]}"
  sudo=''; [ "$(id -u)" -eq 0 ] || sudo=sudo
  $sudo apt-get update -qq && $sudo apt-get install -y -qq "${packages[@]}" >/dev/null
fi

rustup target list --installed 2>/dev/null | grep -qx wasm32-wasip1 || { say 'adding the Rust target wasm32-wasip1'; rustup target add wasm32-wasip1; }

if ! cmp -s contracts/package-lock.json contracts/node_modules/.installed; then
  say 'installing the contract tools (npm)'
  (cd contracts && npm ci --silent --no-audit --no-fund) && cp contracts/package-lock.json contracts/node_modules/.installed
fi

# npm's starters of these tools answer 0 whatever the tools say, so that a failing test would pass: the tools take their places.
for tool in forge cast anvil; do
  found=(contracts/node_modules/@foundry-rs/"$tool"-*/bin/"$tool")
  ln -sfn "../${found[0]#contracts/node_modules/}" "contracts/node_modules/.bin/$tool"
done
if (cd contracts && npx --no-install forge no-such-command >/dev/null 2>&1); then
  fail 'forge answers 0 to a command that it does not have' 'look at contracts/node_modules/.bin/forge: a failing test would pass'
fi
