#!/usr/bin/env bash
# Fuzzes what reads bytes from outside, each target for a while; ends with an error at the first finding.
#   scripts/fuzz.sh [SECONDS] [TARGET...]     default: 60 s, all targets; TARGET `turn`: the one whose turn it is today
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
seconds=${1:-60}
shift || true
mapfile -t all < <(cd fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')
case "${1:-}" in
  '') targets=("${all[@]}") ;;
  turn) targets=("${all[$(($(date +%s) / 86400 % ${#all[@]}))]}") ;;
  *) targets=("$@") ;;
esac
cache=${XDG_CACHE_HOME:-$HOME/.cache}/guildhall/fuzz
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --version '^0.13' --locked --quiet
# Without a sanitizer: those need a nightly compiler, and there is hardly any unsafe code to watch.
export CARGO_TARGET_DIR=$cache/target
for target in "${targets[@]}"; do
  mkdir -p "$cache/corpus/$target"
  printf '\n== %s for %s s\n' "$target" "$seconds"
  cargo fuzz run --sanitizer none "$target" "$cache/corpus/$target" -- \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -malloc_limit_mb=1024 -max_len=65536 -print_final_stats=1 \
    2>&1 | grep -E '^(stat::|SUMMARY|==|artifact|Failing|thread|error)|panicked' || [ "${PIPESTATUS[0]}" -eq 0 ]
done
