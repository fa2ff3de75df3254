import * as fs from 'node:fs';
import * as path from 'node:path';
import { MAVEN, OLDEST_CDK, OLDEST_CONSTRUCTS, ROOT, pom, tarball } from './built';
import { shell } from './shell';

// .jsii.tabl.json.gz are the translated examples: wheel and Construct Hub are made from the tarball.
const SHIPPED = /^package\/(lib\/[\w/-]+\.(js|d\.ts)|assets\/[\w/.-]+\.(py|sh|yaml)|assets\/image_prefetcher\.packed|\.jsii|\.jsii\.gz|\.jsii\.tabl\.json\.gz|README\.md|API\.md|LICENSE|CHANGELOG\.md|package\.json)$/;
const MOST_BYTES = 500_000;

export async function checkTarball(): Promise<string> {
  const files = (await shell(ROOT, `tar -tzf "${tarball()}"`)).trim().split('\n');
  const strange = files.filter(file => !SHIPPED.test(file));
  if (strange.length > 0) {
    throw new Error(`not to be shipped: ${strange.join(', ')}`);
  }
  for (const needed of ['package/lib/index.js', 'package/lib/index.d.ts', 'package/assets/image_prefetcher.py', 'package/assets/image_prefetcher.packed', 'package/.jsii', 'package/.jsii.tabl.json.gz', 'package/README.md']) {
    if (!files.includes(needed)) {
      throw new Error(`${needed} is missing`);
    }
  }
  const maps = await shell(ROOT, `tar -xzOf "${tarball()}" --wildcards 'package/lib/*.js' | grep -c 'sourceMappingURL' || true`);
  if (maps.trim() !== '0') {
    throw new Error(`${maps.trim()} source maps are shipped`);
  }
  const bytes = fs.statSync(tarball()).size;
  if (bytes > MOST_BYTES) {
    throw new Error(`${bytes} bytes packed, allowed are ${MOST_BYTES}`);
  }
  return `${files.length} files, ${Math.round(bytes / 1000)} KB packed`;
}

export async function checkPom(): Promise<string> {
  const text = fs.readFileSync(pom(), 'utf8');
  for (const [artifact, floor] of [['aws-cdk-lib', OLDEST_CDK], ['constructs', OLDEST_CONSTRUCTS]]) {
    const version = new RegExp(`<artifactId>${artifact}</artifactId>\\s*<version>([^<]*)<`).exec(text)?.[1];
    if (version !== floor) {
      throw new Error(`the pom asks for ${artifact} ${version}, and package.json allows ${floor}`);
    }
  }
  for (const file of ['README.md', 'examples/java/pom.xml']) {
    if (!fs.readFileSync(path.join(ROOT, file), 'utf8').includes(`<groupId>${MAVEN.groupId}</groupId>`)) {
      throw new Error(`${file} does not name the Maven group ${MAVEN.groupId}`);
    }
  }
  return `${MAVEN.groupId}:${MAVEN.artifactId}, aws-cdk-lib ${OLDEST_CDK}`;
}
