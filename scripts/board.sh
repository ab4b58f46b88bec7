#!/usr/bin/env bash
# The command as a board takes it: one static file without the embedded chain and the gateway, for aarch64 or x86-64.
#   scripts/board.sh build [ARCHITECTURE] [CARGO OPTION...]    builds it (aarch64 if left out)
#   scripts/board.sh package    Debian packages of both, in build/packages
#   scripts/board.sh service    installs this machine's package in a Debian of its own (debootstrap, systemd-nspawn; as root), starts its
#                               service beside a city of this machine, and waits until it has earned
#   scripts/board.sh test       runs the sandbox and the apps on aarch64, under qemu: receipts are those of this machine, and a worker
#                               joins a deal with workers of this machine
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { printf 'error: %s\nhint: %s\n' "$1" "$2" >&2; exit 2; }
step() { printf '\n== %s\n' "$*"; }
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/guildhall/target}

# What cargo needs to compile and link for a target without a compiler of its distribution.
toolchain() {
  target=$1-unknown-linux-musl
  rustup target list --installed | grep -qx "$target" || rustup target add "$target"
  local name=${target//-/_}
  export "CC_$name=$PWD/scripts/zig-cc" "AR_$name=$PWD/scripts/zig-ar" "CARGO_TARGET_${name^^}_LINKER=rust-lld"
}

# Programs for aarch64 run here as if they were this machine's: children of the sandbox, too.
emulation() {
  [ "$(uname -m)" != aarch64 ] || return 0
  local registered=/proc/sys/fs/binfmt_misc/qemu-aarch64
  [ -e "$registered" ] && return 0
  local sudo=''; [ "$(id -u)" -eq 0 ] || sudo=sudo
  [ -e /proc/sys/fs/binfmt_misc/register ] || $sudo mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
  $sudo apt-get update -qq && $sudo apt-get install -y -qq qemu-user-static binfmt-support >/dev/null
  [ -e "$registered" ] || $sudo update-binfmts --enable qemu-aarch64
  [ -e "$registered" ] || fail 'programs for aarch64 do not run here' 'register qemu-aarch64 with binfmt_misc'
}

# PROGRAM [OPTION...]: the receipts of the apps, as the program makes them.
receipts() {
  local apps=${GUILDHALL_APPS:-build/apps} assets=${GUILDHALL_ASSETS:-${XDG_CACHE_HOME:-$HOME/.cache}/guildhall/assets}
  "$1" "$apps/hello.wasm" README.md LICENSE 2>&1 >/dev/null
  "$1" "$apps/wordcount.wasm" README.md LICENSE 2>&1 >/dev/null
  "$@" "$apps/image-class.wasm" --dataset "$assets/open-nsfw.onnx" "$assets/photos/astronaut.png" 2>&1 >/dev/null
}

case ${1:-} in
build)
  shift
  toolchain "${1:-aarch64}"
  shift || true
  cargo build --locked --target "$target" -p guildhall --no-default-features "$@"
  ;;
package)
  command -v cargo-deb >/dev/null || cargo install cargo-deb --version '^3.8' --locked --quiet
  mkdir -p build/packages
  for architecture in x86_64 aarch64; do
    toolchain "$architecture"
    cargo deb --locked -p guildhall --target "$target" --output build/packages
  done
  ;;
test)
  emulation
  scripts/assets.sh
  toolchain aarch64
  step 'compiling'
  # What this machine's tests are: built alone they would have other features, and compile half of the tree anew.
  cargo test --workspace --locked --no-run
  both=(--locked --target "$target" -p guildhall -p guildhall-sandbox --no-default-features)
  cargo build "${both[@]}" --bin guildhall --example run
  # Under qemu the compiler would take longer for the classifier than it may: this machine makes its machine code for aarch64.
  cargo build --workspace --locked --features guildhall-sandbox/cross --example run
  step 'the corpus'
  cargo test "${both[@]}" --test corpus -- --skip in_the_interpreter
  step 'the apps'
  made=$(mktemp -d)
  trap 'rm -rf "$made"' EXIT
  here=$CARGO_TARGET_DIR/debug/examples/run
  "$here" --machine-code "$made/code" --aarch64 "${GUILDHALL_APPS:-build/apps}/image-class.wasm"
  receipts "$here" >"$made/here"
  receipts "$CARGO_TARGET_DIR/$target/debug/examples/run" --machine-code "$made/code" --aarch64 >"$made/aarch64"
  diff "$made/here" "$made/aarch64"
  cat "$made/aarch64"
  step 'a deal with a worker on aarch64'
  GUILDHALL_BOARD=$CARGO_TARGET_DIR/$target/debug/guildhall \
    cargo test --workspace --locked --test it -- --ignored devices::
  ;;
service) scripts/service.sh ;;
*) fail "\`${1:-}\` is nothing that this does" "scripts/board.sh build|package|service|test" ;;
esac
