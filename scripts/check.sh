#!/usr/bin/env bash
# Everything that is checked without running the system: format, lints, types, docs, shape of the tree, generated files, and the
# apps' own code, natively.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\n== %s\n' "$*"; }

step 'format'
cargo fmt --all -- --check
(cd apps && cargo fmt --all -- --check)
(cd contracts && npx --no-install forge fmt --check)
step 'lints'
cargo clippy --workspace --all-targets --locked -- -D warnings
step 'apps'
(cd apps && cargo clippy --workspace --all-targets --locked -- -D warnings && cargo test --workspace --locked)
step 'web application'
scripts/web.sh check
step 'docs'
RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked
step 'shape of the tree'
cargo run -q --bin xtask --locked -- tidy
step 'generated files'
cargo run -q --bin xtask --locked -- check-gen
node contracts/tools/abi.mjs --check
