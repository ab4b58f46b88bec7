#!/usr/bin/env bash
# Proves the rules of test/symbolic for every input, with halmos (PyPI) and the solver that it brings.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/guildhall
[ -x "$cache/halmos/bin/halmos" ] || { python3 -m venv "$cache/halmos" && "$cache/halmos/bin/pip" install --quiet halmos==0.3.3; }
# halmos has forge compile what it reads: the rules and what they import, apart from everybody else's output.
export PATH="$PWD/node_modules/.bin:$PATH" FOUNDRY_SRC=test/symbolic FOUNDRY_TEST=test/symbolic
export FOUNDRY_OUT=$cache/symbolic-out FOUNDRY_CACHE_PATH=$cache/symbolic-out/cache
for contract in ConfidenceSymbolic PayoutsSymbolic WorkerSymbolic WordsSymbolic; do
  "$cache/halmos/bin/halmos" --root . --contract "$contract" --function check_ --forge-build-out "$FOUNDRY_OUT" \
    --solver-timeout-assertion 120000 "$@"
done
