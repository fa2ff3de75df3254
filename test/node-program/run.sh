#!/bin/bash
# Checks the programs that run on nodes, and tests the node program, as Python. ruff, mypy and pytest come from the testbed's
# environment when it is set up.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PATH="${XDG_CACHE_HOME:-$HOME/.cache}/cdk-eks-image-prefetcher/venv/bin:$PATH"
export PYTHONDONTWRITEBYTECODE=1
ruff check --no-cache --config "$here/ruff.toml" "$here/../../assets" "$here/../../projenrc" "$here"
mypy --strict --cache-dir=/dev/null "$here/../../assets/image_prefetcher.py"
exec pytest -q -p no:cacheprovider --junitxml "$here/../../test-reports/junit-node-program.xml" "$here" "$@"
