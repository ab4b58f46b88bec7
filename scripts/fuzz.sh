#!/usr/bin/env bash
# Fuzzes what reads bytes from outside, each target for a while; ends with an error at the first finding.
#   scripts/fuzz.sh [SECONDS] [TARGET...]     default: 60 s, all targets; TARGET `turn`: the one whose turn it is today
# FUZZ_SEED=N: what libFuzzer draws from; else the time in seconds. It is said, so that a run begins again with the same draws: what it comes
# to depends on the inputs kept in ~/.cache/guildhall/fuzz/corpus, too, and on the machine's pace.
# What a finding was found with lies in ~/.cache/guildhall/fuzz/findings: the target's program with that file as its argument runs it again.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
seconds=${1:-60}
shift || true
# 32 bits, and none would be zero: libFuzzer draws one of its own then.
seed=${FUZZ_SEED:-$(date +%s)}
[[ $seed =~ ^[1-9][0-9]{0,9}$ ]] && [ "$seed" -le 4294967295 ] || { echo "FUZZ_SEED: a number from 1 to 4294967295" >&2; exit 2; }
mapfile -t all < <(cd fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')
case "${1:-}" in
  '') targets=("${all[@]}") ;;
  turn) targets=("${all[$(($(date +%s) / 86400 % ${#all[@]}))]}") ;;
  *) targets=("$@") ;;
esac
# Parts that take long to build: a target names the one that it needs.
feature_of() { sed -n "/^name = \"$1\"/,/^\[\[/s/^required-features = \[\"\(.*\)\"\]/\1/p" Cargo.toml; }
cache=${XDG_CACHE_HOME:-$HOME/.cache}/guildhall/fuzz
# Without `cargo fuzz`, which would instrument and optimise every dependency, and would have to be built itself.
export CARGO_TARGET_DIR=$cache/target RUSTC_WRAPPER=$PWD/instrument.sh
# Named, so that what runs while building is built apart.
machine=$(rustc -vV | sed -n 's/^host: //p')
# The journal's files need no disk.
[ ! -d /dev/shm ] || export TMPDIR=/dev/shm
mkdir -p "$cache/findings"
bins=() features=()
for target in "${targets[@]}"; do
  bins+=(--bin "$target")
  features+=("$(feature_of "$target")")
done
cargo build --quiet --locked --release --target "$machine" --features "${features[*]}" "${bins[@]}"
printf 'built in %s s\n' "$SECONDS"
for target in "${targets[@]}"; do
  export FUZZ_SEEDS=$cache/corpus/$target
  mkdir -p "$FUZZ_SEEDS"
  printf '\n== %s for %s s, FUZZ_SEED=%s\n' "$target" "$seconds" "$seed"
  # A minute an input by the clock: what takes a second of a machine's time may take many on a busy one.
  "$CARGO_TARGET_DIR/$machine/release/$target" "$FUZZ_SEEDS" -artifact_prefix="$cache/findings/$target-" \
    -seed="$seed" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=4096 -malloc_limit_mb=1024 -max_len=65536 -print_final_stats=1 \
    2>&1 | grep -E '^(stat::|SUMMARY|==|artifact|Failing|thread|error)|panicked|Test unit' || [ "${PIPESTATUS[0]}" -eq 0 ]
done
