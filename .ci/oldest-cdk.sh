#!/usr/bin/env bash
# The oldest aws-cdk-lib and constructs that package.json allows: does the library compile and pass its unit tests with them?
# Works in a copy and leaves nothing behind.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

floor() { node -p "require('$root/package.json').peerDependencies['$1'].replace('^', '')"; }
cdk=$(floor aws-cdk-lib)
constructs=$(floor constructs)
echo "aws-cdk-lib $cdk, constructs $constructs"

cp -r "$root"/{src,assets,docs,examples,testbed,tsconfig.dev.json,package.json,jest.config.json,README.md,LICENSE} "$copy"
# The unit tests of the construct: the others hold templates against AWS, whatever CDK wrote them, or have none.
tar -C "$root" --exclude='test/*/*.test.ts' --exclude=test/node-program --exclude=test/integration -c test | tar -C "$copy" -x

mkdir "$copy/oldest"
npm install --prefix "$copy/oldest" --no-save --no-audit --no-fund --ignore-scripts --loglevel error "aws-cdk-lib@$cdk" "constructs@$constructs"
mv "$copy/oldest/node_modules" "$copy/node_modules"
# Every other package as it is installed here.
for package in "$root"/node_modules/*; do
  name=$(basename "$package")
  [ -e "$copy/node_modules/$name" ] || ln -s "$package" "$copy/node_modules/$name"
done

cd "$copy"
[ "$(node -p "require('aws-cdk-lib/package.json').version")" = "$cdk" ] || { echo "aws-cdk-lib $cdk is not what was installed" >&2; exit 1; }

# As tsc sees the source of a library: with the dependencies' types, and without the tests' other ones.
echo '{ "extends": "./tsconfig.dev.json", "compilerOptions": { "noEmit": true, "types": ["node"] }, "include": ["src/**/*.ts"] }' > tsconfig.oldest.json
node node_modules/typescript/bin/tsc --project tsconfig.oldest.json
node node_modules/jest/bin/jest.js --rootDir "$copy" --reporters default --cacheDirectory "$copy/jest-cache" "$copy/test/"
