#!/usr/bin/env bash
# What cargo calls in place of rustc when it builds a fuzz target (RUSTC_WRAPPER): our crates, and those that read bytes for them,
# report to libFuzzer which branches they take; the others are compiled as they are. `cargo fuzz` instruments all six hundred, which
# takes three times as long and draws the fuzzer to what is not ours.
set -euo pipefail
case "${CARGO_PKG_NAME:-} $*" in
  # What runs while building links no fuzzer.
  *'--crate-name build_script_'*) ;;
  guildhall-*' --target '* | serde_json*' --target '* | alloy-sol-types*' --target '* | wasmparser*' --target '*)
    set -- "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
      -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
      -Cllvm-args=-sanitizer-coverage-trace-compares
    ;;
esac
exec "$@"
