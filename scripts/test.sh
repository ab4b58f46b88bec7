#!/usr/bin/env bash
# All tests, the fast ones first.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\n== %s\n' "$*"; }

# The apps' linker keeps one core busy for minutes, the contracts' compiler another: on a cold machine they run side by side.
log=$(mktemp)
scripts/assets.sh >"$log" 2>&1 & assets=$!
trap 'kill "$assets" 2>/dev/null || true; rm -f "$log"' EXIT
step 'contracts (apps, model and photographs beside them)'
(cd contracts && npx --no-install forge test)
step 'web application'
scripts/web.sh build
step 'compiling'
cargo test --workspace --locked --no-run
step 'apps, model and photographs'
wait "$assets" || { status=$?; cat "$log"; exit "$status"; }
cat "$log"
step 'Rust'
# Many tests wait for a chain's clock: two more of them at once than there are cores.
RUST_TEST_THREADS=$(($(nproc) + 2)) cargo test --workspace --locked
step 'the gateway over PostgreSQL'
scripts/postgres.sh cargo test --workspace --locked --lib --test it -- index::tests book::tests http::tests gateway_orders:: what_comes_again
step 'scores against onnxruntime'
cache=${XDG_CACHE_HOME:-$HOME/.cache}/guildhall target=${CARGO_TARGET_DIR:-target}
# The example was built with the tests: built alone it would have other features, and compile half of the tree anew.
python3 apps/test_scores.py --assets "${GUILDHALL_ASSETS:-$cache/assets}" --wasm "${GUILDHALL_APPS:-build/apps}/image-class.wasm" \
  --sandbox "$target/debug/examples/run" --machine-code "$target/tmp/machine-code"
step 'web application'
scripts/web.sh test
