// What the build left in dist/, and the versions that users may have.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { shell } from './shell';

export const ROOT = path.join(__dirname, '..');
const DIST = path.join(ROOT, 'dist');

const manifest = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
export const NAME: string = manifest.name;
export const MAVEN: { groupId: string; artifactId: string } = manifest.jsii.targets.java.maven;

export const OLDEST_CDK = floor('aws-cdk-lib');
export const OLDEST_CONSTRUCTS = floor('constructs');

/** Tools of users, in versions of their own: all of them are here. */
export const TOOLS = { cdk: '2.1148.1', typescript: '6.0.3', nodeTypes: '20', pyright: '1.1.414', mypy: '2.4.1' };

function floor(dependency: string): string {
  return manifest.peerDependencies[dependency].replace('^', '');
}

export function tarball(): string {
  return only('js', /\.tgz$/);
}

export function wheel(): string {
  return only('python', /\.whl$/);
}

export function jar(): string {
  return only('java', /-\d+\.\d+\.\d+\.jar$/);
}

export function pom(): string {
  return only('java', /\.pom$/);
}

export function mavenRepository(): string {
  return path.join(DIST, 'java');
}

export function goModule(): string {
  return path.dirname(only('go', /go\.mod$/));
}

export function dotnetProject(): string {
  return only('dotnet', /\.csproj$/);
}

function only(language: string, name: RegExp): string {
  const folder = path.join(DIST, language);
  const files = fs.existsSync(folder) ? fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(file => name.test(file)) : [];
  if (files.length !== 1) {
    throw new Error(`dist/${language} must hold one file ${name}, found ${files.length}: run 'npx projen build' and 'npx projen package:as-released' first`);
  }
  return path.join(folder, files[0]);
}

/** The newest release of aws-cdk-lib, as npm has it. */
export async function newestCdk(): Promise<string> {
  return (await shell(ROOT, 'npm view aws-cdk-lib version')).trim();
}
