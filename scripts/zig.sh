#!/bin/sh
# zig, installed if it is missing: a C compiler for every target, from PyPI. Needs Python with pip.
#   scripts/zig.sh cc|ar ...
set -eu
cache=${XDG_CACHE_HOME:-$HOME/.cache}/guildhall
[ -d "$cache/zig" ] || python3 -m pip install -q --target "$cache/zig" ziglang==0.17.1
export ZIG_GLOBAL_CACHE_DIR="$cache/zig-cache" ZIG_LOCAL_CACHE_DIR="$cache/zig-cache" PYTHONPATH="$cache/zig"
exec python3 -m ziglang "$@"
