#!/usr/bin/env bash
# Wheel and jar as the release workflow makes them: from a checkout with the npm tarball of the build unpacked over it.
# Go and .NET are not published; they are generated, so that nothing in the API rules them out. Declared in package.json they
# would be on Construct Hub, so only the copy says their names.
set -euo pipefail
cd "$(dirname "$0")/.."

tarball=$(ls "$PWD"/dist/js/*.tgz) || { echo "dist/js has no tarball: run 'npx projen build' first" >&2; exit 1; }
checkout=$(mktemp -d)
trap 'rm -rf "$checkout"' EXIT

git ls-files -z | tar --create --null --files-from - | tar --extract --directory "$checkout"
tar --extract --gzip --file "$tarball" --strip-components=1 --directory "$checkout"
ln -s "$PWD/node_modules" "$checkout/node_modules"

(
  cd "$checkout"
  npx projen package:python &
  python=$!
  npx projen package:java
  wait "$python"
  node "$OLDPWD/.ci/add-unpublished-targets.js"
  npx jsii-pacmak --no-npmignore --code-only --target go --target dotnet
)
for language in python java go dotnet; do
  rm -rf "dist/$language"
  mv "$checkout/dist/$language" "dist/$language"
done
