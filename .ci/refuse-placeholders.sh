#!/usr/bin/env bash
# Nothing is released under a name that is not ours: owner, repository and Maven group are set at the top of .projenrc.ts.
cd "$(dirname "$0")/.." || exit 1
if grep -qi placeholder package.json; then
  echo "refused to release: package.json holds placeholders for owner, repository and Maven group; set OWNER and MAVEN_GROUP_ID in .projenrc.ts, then run 'npx projen'" >&2
  exit 1
fi
