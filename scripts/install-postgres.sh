#!/usr/bin/env bash
# Makes sure that PostgreSQL's server binaries are where the tests look for them, and installs Debian's package if they
# are not. That takes root: where it cannot be done, this says so and fails.
set -euo pipefail

found() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

if found; then exit 0; fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo 'install-postgres: nothing under /usr/lib/postgresql, and only root on Debian can put it there' >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends postgresql >/dev/null
found
