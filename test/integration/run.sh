#!/usr/bin/env bash
# The integration tests, by integ-runner.
#   run.sh snapshot   holds what the code gives against the committed snapshot, and outside CI brings that up to date; no AWS
#   run.sh deploy …   in the account of the environment; the rest goes to integ-runner
set -euo pipefail
cd "$(dirname "$0")"
mode=$1
shift

if ! cmp -s package-lock.json node_modules/installed-package-lock.json; then
  npm ci --no-audit --no-fund --loglevel error
  cp package-lock.json node_modules/installed-package-lock.json
fi
bin=$PWD/node_modules/.bin
project=$PWD/tsconfig.json
cd ../..
node_modules/.bin/tsc --project "$project"

run() {
  "$bin/integ-runner" --directory test/integration --language typescript --app "$PWD/node_modules/.bin/tsx --tsconfig $project {filePath}" "$@"
  # Bodies of assets, and positions of constructs in the source, are not what is compared.
  rm -rf test/integration/*.snapshot/asset.*
  for metadata in test/integration/*.snapshot/*.metadata.json; do echo '{}' > "$metadata"; done
}

case $mode in
  snapshot)
    if [ -n "${CI:-}" ]; then
      run
    else
      rm -rf test/integration/*.snapshot
      run --dry-run --update-on-failed --parallel-regions us-east-1
    fi
    ;;
  deploy)
    run --force --parallel-regions "${AWS_REGION:?say in which region}" "$@"
    ;;
  *)
    echo "run.sh snapshot | deploy, got '$mode'" >&2
    exit 2
    ;;
esac
