import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { App } from 'aws-cdk-lib';
import type { CloudAssembly } from 'aws-cdk-lib/cx-api';
import { brokenLimits } from './aws-limits';
import { cfnLint, whyNoCfnLint } from './cfn-lint';
import { findingsOfOtherPacks, nagFindings, unexplained, unexplainedByOtherPacks, unneeded } from './nag-findings';

const ROOT = path.join(__dirname, '..', '..');
const EXAMPLES = path.join(ROOT, 'examples');
const names = fs.readdirSync(EXAMPLES).filter(name => fs.existsSync(path.join(EXAMPLES, name, 'app.ts')));

const noLint = whyNoCfnLint();
if (noLint) {
  process.stderr.write(`The examples are not linted: ${noLint}\n`);
}

// The deprecated package says so at every step.
process.env.JSII_DEPRECATED = 'quiet';

const apps = new Map<string, { app: App; assembly: CloudAssembly; findings: ReturnType<typeof nagFindings> }>();

beforeAll(() => {
  for (const name of names) {
    const { app } = jest.requireActual<{ app: App }>(path.join(EXAMPLES, name, 'app.ts'));
    apps.set(name, { app, assembly: app.synth(), findings: nagFindings(app) });
  }
}, 300_000);

afterAll(() => {
  for (const { assembly } of apps.values()) {
    fs.rmSync(assembly.directory, { recursive: true });
  }
});

describe.each(names)('the example %s', name => {
  const stacks = () => apps.get(name)!.assembly.stacks;

  test('synthesises without an error or a warning of this library', () => {
    const messages = stacks().flatMap(stack => stack.messages).map(({ level, entry }) => `${level}: ${entry.data}`);
    expect(messages.filter(message => message.startsWith('error') || message.includes('cdk-eks-image-prefetcher'))).toEqual([]);
    expect(stacks().some(stack => JSON.stringify(stack.template).includes('AWS::SSM::Document'))).toBe(true);
  });

  test('stays within the limits of AWS', () => {
    expect(stacks().flatMap(stack => brokenLimits(stack.template, {
      account: stack.environment.account.replace('unknown-account', '123456789012'),
      region: stack.environment.region.replace('unknown-region', 'us-east-1'),
      stackName: stack.stackName,
    }))).toEqual([]);
  });

  test('leaves cdk-nag no finding without a reason', () => {
    expect(unexplained(apps.get(name)!.findings)).toEqual([]);
  });

  test('leaves the packs of cdk-nag for NIST, HIPAA, PCI and serverless no finding in a prefetcher without a reason', () => {
    expect(unexplainedByOtherPacks(findingsOfOtherPacks(apps.get(name)!.app))).toEqual([]);
  });

  test('is in the index, with what it shows', () => {
    expect(fs.readFileSync(path.join(EXAMPLES, 'README.md'), 'utf8')).toMatch(new RegExp(`\\]\\(${name}/app\\.ts\\) \\| .+ \\|`));
  });
});

test('every reason given to cdk-nag is still needed', () => {
  expect(unneeded([...apps.values()].map(({ findings }) => findings))).toEqual([]);
});

(noLint ? test.skip : test)('cfn-lint finds nothing in any example', () => {
  expect(cfnLint([...apps.values()].flatMap(({ assembly }) => assembly.stacks.map(stack => stack.templateFullPath)))).toEqual([]);
}, 120_000);

test('every example compiles', () => {
  const { stdout } = spawnSync(process.execPath, [require.resolve('typescript/bin/tsc'), '--noEmit', '--listFiles', '--project', 'tsconfig.dev.json'], {
    cwd: ROOT, encoding: 'utf8', maxBuffer: 1e8,
  });
  const lines = stdout.split('\n');
  expect(lines.filter(line => /^examples\/.*error/.test(line))).toEqual([]);
  expect(lines).toEqual(expect.arrayContaining(names.map(name => path.join(EXAMPLES, name, 'app.ts'))));
}, 120_000);
