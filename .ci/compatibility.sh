#!/usr/bin/env bash
# Breaking changes of the public API since the last release, by jsii-diff.
set -euo pipefail
cd "$(dirname "$0")/.."
name=$(node -p "require('./package.json').name")
if answer=$(npm view "$name" version 2>&1); then
  npx projen compat
elif [[ $answer == *E404* ]]; then
  echo "skipped: nothing is released yet, so there is no API to compare with"
else
  echo "$answer" >&2
  exit 1
fi
