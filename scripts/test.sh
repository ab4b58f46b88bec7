#!/usr/bin/env bash
# All tests, the fast ones first.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\n== %s\n' "$*"; }

step 'contracts'
(cd contracts && npx --no-install forge test)
step 'Rust'
cargo test --workspace --locked
step 'scores against onnxruntime'
cache=${XDG_CACHE_HOME:-$HOME/.cache}/guildhall
cargo build -q -p guildhall-sandbox --example run --locked
python3 apps/test_scores.py --assets "${GUILDHALL_ASSETS:-$cache/assets}" --wasm "${GUILDHALL_APPS:-build/apps}/image-class.wasm" \
  --sandbox "${CARGO_TARGET_DIR:-target}/debug/examples/run"
