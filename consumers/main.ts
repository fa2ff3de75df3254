// What users of each language get from the built packages, tried in empty folders; prints a table, and fails on any difference.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { OLDEST_CDK, ROOT, newestCdk } from './built';
import { checkErrors } from './errors';
import { forgetJar, javaApp, newestJavaCdk } from './java';
import { dotnetIsGenerated, goCompiles } from './others';
import { checkPom, checkTarball } from './packages';
import { pythonApp } from './python';
import { checkRenderedDocs, checkWheelReadme } from './rendered-docs';
import { Workshop } from './twin';

interface Check {
  readonly name: string;
  readonly run: () => Promise<string>;
}

interface Result {
  readonly name: string;
  readonly seconds: number;
  readonly found?: string;
  readonly error?: string;
}

async function main(only: string[]): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'consumers-'));
  try {
    forgetJar();
    const workshop = new Workshop(folder);
    const compare = async (assembly: string, cdk: string) => `aws-cdk-lib ${cdk}: ${await workshop.compareToTwin(assembly, cdk)}`;
    const checks: Check[] = [
      { name: 'npm: contents and size', run: checkTarball },
      { name: 'Maven: names and floor', run: checkPom },
      { name: 'PyPI: README in Python', run: checkWheelReadme },
      { name: 'CommonJS, oldest CDK', run: async () => compare(await workshop.twin(OLDEST_CDK), OLDEST_CDK) },
      { name: 'Python, oldest CDK', run: () => pythonApp(workshop, 'python-oldest', OLDEST_CDK) },
      { name: 'Java, oldest CDK', run: () => javaApp(workshop, 'java-oldest', OLDEST_CDK) },
      { name: 'CommonJS, newest CDK', run: async () => newestCdk().then(async cdk => compare(await workshop.twin(cdk), cdk)) },
      { name: 'ES module, newest CDK', run: async () => newestCdk().then(async cdk => compare(await workshop.typescriptApp('esm-newest', cdk, 'module'), cdk)) },
      { name: 'ES module, oldest CDK', run: async () => compare(await workshop.typescriptApp('esm-oldest', OLDEST_CDK, 'module'), OLDEST_CDK) },
      { name: 'Python, newest CDK', run: () => pythonApp(workshop, 'python-newest') },
      { name: 'Java, newest CDK', run: async () => javaApp(workshop, 'java-newest', await newestJavaCdk(workshop)) },
      { name: 'Construct Hub', run: () => checkRenderedDocs(workshop) },
      { name: 'errors in each language', run: () => checkErrors(workshop) },
      { name: 'Go', run: () => goCompiles(workshop) },
      { name: '.NET', run: dotnetIsGenerated },
    ];
    const results = await sideBySide(checks.filter(({ name }) => only.length === 0 || only.some(part => name.includes(part))), 2);
    report(results);
    if (results.length === 0 || results.some(({ error }) => error)) {
      process.exitCode = 1;
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs the checks in their order, a few at a time. */
async function sideBySide(checks: Check[], lanes: number): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = checks.map((check, index) => ({ check, index }));
  await Promise.all(Array.from({ length: lanes }, async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      results[next.index] = await attemptCheck(next.check);
    }
  }));
  return results;
}

async function attemptCheck({ name, run }: Check): Promise<Result> {
  const began = Date.now();
  const outcome = await run().then(found => ({ found }), error => ({ error: (error as Error).message }));
  const result: Result = { name, seconds: Math.round((Date.now() - began) / 1000), ...outcome };
  console.error(`${name}: ${result.error ? 'FAILED' : 'ok'} after ${result.seconds} s`);
  return result;
}

function report(results: Result[]): void {
  const width = Math.max(...results.map(({ name }) => name.length), 8);
  console.log(`| ${'consumer'.padEnd(width)} | result | seconds | found |`);
  console.log(`|${'-'.repeat(width + 2)}|--------|---------|-------|`);
  for (const { name, seconds, found, error } of results) {
    console.log(`| ${name.padEnd(width)} | ${error ? 'FAILED' : 'ok    '} | ${String(seconds).padStart(7)} | ${error ? 'see below' : found} |`);
  }
  for (const { name, error } of results.filter(result => result.error)) {
    console.log(`\n=== ${name}\n${error}`);
  }
  const escape = (text: string) => text.replace(/[^\x20-\x7e\n]/g, ' ').replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
  fs.mkdirSync(path.join(ROOT, 'test-reports'), { recursive: true });
  fs.writeFileSync(path.join(ROOT, 'test-reports', 'junit-consumers.xml'), `<testsuite name="consumers" tests="${results.length}" failures="${results.filter(({ error }) => error).length}">${
    results.map(({ name, seconds, error }) => `<testcase name="${escape(name)}" time="${seconds}">${error ? `<failure>${escape(error)}</failure>` : ''}</testcase>`).join('')}</testsuite>`);
}

main(process.argv.slice(2)).catch(error => {
  console.error(error);
  process.exitCode = 1;
});
