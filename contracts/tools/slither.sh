#!/bin/sh
# Static analysis: fails when slither finds anything that slither.known does not answer (docs/slither.md), or when an
# answer has lost its finding. Installs slither into $HOME/.cache/guildhall on the first run; then needs no network.
set -eu
cd "$(dirname "$0")/.."
cache="${HOME}/.cache/guildhall"
venv="${cache}/slither"
if [ ! -x "${venv}/bin/slither" ]; then
  python3 -m venv "${venv}"
  "${venv}/bin/pip" install --quiet slither-analyzer==0.11.6
fi
PATH="${PWD}/node_modules/.bin:${PATH}"
out="${cache}/slither-out"
forge build --skip test --build-info --force --out "${out}" --cache-path "${out}/cache" >/dev/null
rm -f "${out}/findings.json"
"${venv}/bin/slither" . --config-file slither.config.json --foundry-out-directory "${out}" \
  --json "${out}/findings.json" >/dev/null 2>"${out}/log" || true
node tools/slither.mjs "${out}/findings.json" "$@"
