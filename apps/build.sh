#!/bin/sh
# Builds every app to OUT_DIR/*.wasm. Needs rustup, and Python with pip for the C compiler.
#   apps/build.sh OUT_DIR [APP ...]     (all apps where none is named)
set -eu

out=${1:?usage: apps/build.sh OUT_DIR [hello|image-class|wordcount ...]}
shift
[ $# -gt 0 ] || set -- hello image-class wordcount
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
mkdir -p "$out"
out=$(cd "$out" && pwd)

rust() {
    rustup target list --installed | grep -qx wasm32-wasip1 || rustup target add wasm32-wasip1
    (cd "$here" && cargo build --release --locked --target wasm32-wasip1 --target-dir "$target" -p "$1")
    cp "$target/wasm32-wasip1/release/$1.wasm" "$out/$1.wasm"
}

c() {
    # -s: no names of places on this machine; 64 KiB of stack, where zig takes 16 MiB that an app would pay for.
    "$here/../scripts/zig.sh" cc -target wasm32-wasi -O2 -s -Wl,-z,stack-size=65536 -Wall -Wextra -Werror -mcpu=lime1 \
        -o "$out/$1.wasm" "$here/$1/$1.c"
}

for app; do
    case $app in
    hello | image-class) rust "$app" ;;
    wordcount) c "$app" ;;
    *) echo "no app is called $app" >&2; exit 2 ;;
    esac
    ls -l "$out/$app.wasm"
done
