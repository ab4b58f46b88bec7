#!/usr/bin/env bash
# Builds the apps to WebAssembly and fetches the model and the photographs, each checked by its digest.
set -euo pipefail
cd "$(dirname "$0")/.."
apps/build.sh "${GUILDHALL_APPS:-build/apps}"
python3 apps/fetch.py "${GUILDHALL_ASSETS:-${XDG_CACHE_HOME:-$HOME/.cache}/guildhall/assets}"
