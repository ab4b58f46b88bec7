#!/usr/bin/env bash
# The web application, which the program carries within it.
#   scripts/web.sh build   into web/dist, where that is not up to date
#   scripts/web.sh check   format and types
#   scripts/web.sh test    its rules; its pages in a browser over recorded answers; then in real cities of `guildhall up`, which has to be
#                          built, and the apps with it
set -euo pipefail
cd "$(dirname "$0")/../web"
fail() { printf 'error: %s\nhint: %s\n' "$1" "$2" >&2; exit 2; }

if ! cmp -s package-lock.json node_modules/.installed; then
  npm ci --silent --no-audit --no-fund && cp package-lock.json node_modules/.installed
fi
case ${1:-} in
build)
  if [ ! -e dist/index.html ] || [ -n "$(find . -path ./node_modules -prune -o -path ./dist -prune -o -newer dist/index.html -type f -print -quit)" ]; then
    npm run --silent build -- --logLevel warn
  fi
  ;;
check) npm run --silent check ;;
test)
  if ! command -v chromium >/dev/null; then
    sudo=''; [ "$(id -u)" -eq 0 ] || sudo=sudo
    $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends chromium >/dev/null
  fi
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/guildhall
  # It asks the gateway whatever its document allows, and what it forbids; 4.32.5, from PyPI.
  [ -x "$cache/schemathesis/bin/schemathesis" ] || {
    python3 -m venv "$cache/schemathesis" && "$cache/schemathesis/bin/pip" install --quiet schemathesis==4.32.5
  }
  npm test
  npm run test:pages
  npm run test:city
  ;;
*) fail "\`${1:-}\` is nothing that this does" "scripts/web.sh build|check|test" ;;
esac
