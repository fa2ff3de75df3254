// Adds the Go and .NET names to package.json and .jsii.gz in the current folder.
const { readFileSync, writeFileSync } = require('node:fs');
const { gunzipSync, gzipSync } = require('node:zlib');

const targets = {
  go: { moduleName: 'example.com/go', packageName: 'eksimageprefetcher' },
  dotnet: { namespace: 'EksImagePrefetcher', packageId: 'EksImagePrefetcher' },
};

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
Object.assign(manifest.jsii.targets, targets);
writeFileSync('package.json', JSON.stringify(manifest, null, 2));

const assembly = JSON.parse(gunzipSync(readFileSync('.jsii.gz')));
Object.assign(assembly.targets, targets);
writeFileSync('.jsii.gz', gzipSync(JSON.stringify(assembly)));
