import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { CfnParameter } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import { flat, newStack, settingsOf, prefetch, propertiesOf } from './fixture';
import { ImageSelection } from '../src';
import { asSentByCloudFormation } from '../src/command-document';

const contentOf = (...[props, stack]: Parameters<typeof prefetch>) =>
  propertiesOf(prefetch(props, stack).template(), 'AWS::SSM::Document', 'PrefetcherDocument').Content;
const scriptOf = (content: any): string => content.mainSteps[0].inputs.runCommand.map(flat).join('\n');
const NODE_PROGRAM = fs.readFileSync(path.join(__dirname, '..', 'assets', 'image_prefetcher.py'), 'utf8');
const images = (count: number, tag = 'v1.2.3') => [...Array(count).keys()]
  .map(index => ImageSelection.registry(`123456789012.dkr.ecr.us-east-1.amazonaws.com/team/application-${index}:${tag}`));

/** What the script gives to Python: its arguments, its program and file descriptor 3. */
function run(script: string, ...args: string[]): { args: string[]; settings: string; program: string } {
  const python = '#!/bin/sh\necho "$@"\necho ---\ncat <&3\necho ---\ncat\n';
  const bed = spawnSync('sh', ['-c', `d=$(mktemp -d) && printf %s "$PYTHON" > "$d/python3" && chmod +x "$d/python3" && PATH="$d:$PATH" sh -c "$SCRIPT" boot-gate ${args.join(' ')}; rm -r "$d"`],
    { env: { ...process.env, PYTHON: python, SCRIPT: script }, encoding: 'utf8' });
  const [first, settings, program] = bed.stdout.split('---\n');
  return { args: first.trim().split(' '), settings, program };
}

test('hands its settings over on file descriptor 3, a line each, and passes the boot gate\'s arguments on', () => {
  const { args, settings, program } = run(scriptOf(contentOf({ images: images(2), parallelPulls: 4 })), 'gate', '120');
  expect(args).toEqual(['-IS', '-', 'gate', '120']);
  expect(settings.split('\n').map(line => line.split('=')[0])).toEqual(
    ['Owner', 'Revision', 'ParallelPulls', 'PinImages', 'MaxDiskUsage', 'TimeoutSeconds', 'LogGroup', 'Region', 'Image', 'Image', '']);
  expect(settings).toContain('ParallelPulls=4\n');
  const carried = /exec\(compile\((.*), 'image_prefetcher.py', 'exec'\)\)/.exec(program)![1];
  const unpacked = spawnSync('python3', ['-'], { input: `import base64, bz2, sys\nsys.stdout.buffer.write(${carried})`, encoding: 'utf8' });
  // After a change of the program: npx projen pre-compile
  expect(unpacked.stdout).toBe(NODE_PROGRAM);
  // Neither a parameter of Systems Manager nor one of CloudFormation.
  expect(carried).not.toMatch(/\{\{|\}\}|\$\{/);
});

test('imports nothing of the folder it is started in, nor of one that a variable names', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'import-'));
  try {
    const canary = path.join(folder, 'canary');
    for (const name of ['base64', 'bz2', 'json', 'sitecustomize', 'usercustomize']) {
      fs.writeFileSync(path.join(folder, `${name}.py`), `open(${JSON.stringify(canary)}, 'a').write(${JSON.stringify(name)})\n`);
    }
    const { status, stdout } = spawnSync('bash', ['-c', scriptOf(contentOf({ images: images(2) }))], {
      cwd: folder, env: { ...process.env, PYTHONPATH: folder }, encoding: 'utf8',
    });
    expect({ status, stdout }).toEqual({ status: 2, stdout: expect.stringContaining('allowed is what matches') });
    expect(fs.existsSync(canary)).toBe(false);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

test('of 100 images takes at most 75 % of what Systems Manager takes, as CloudFormation sends it', () => {
  const characters = asSentByCloudFormation(contentOf({ images: images(100) })).length + 1_000;
  expect(characters).toBeLessThan(0.75 * 65_536);
});

test('is read as the README says', () => {
  const [, command] = /(sed -n .+ \| python3)`/.exec(fs.readFileSync(path.join(__dirname, '..', 'README.md'), 'utf8'))!;
  const { stdout, stderr } = spawnSync('sh', ['-c', command], { input: scriptOf(contentOf()), encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).toBe(`${NODE_PROGRAM}\n`);
});

test('is refused at synth when it gets too large', () => {
  expect(() => prefetch({ images: images(600) })).toThrow(/^the list of wanted images of 'Stack\/Prefetcher' must fit into an SSM document beside the node program, in \d+ characters, got about \d+/);
});

test('is written as Jackson prints it', () => {
  expect(asSentByCloudFormation({ a: 'x', b: [{ c: 1 }, 'd'], e: {}, f: [] }))
    .toBe('{\n  "a" : "x",\n  "b" : [ {\n    "c" : 1\n  }, "d" ],\n  "e" : { },\n  "f" : [ ]\n}');
});

test('has a revision that changes with what it says, and with nothing else', () => {
  const revision = (tag: string) => settingsOf(prefetch({ images: images(1, tag) }).template()).Revision;
  expect(revision('v1')).toMatch(/^[0-9a-f]{16}$/);
  expect(revision('v1')).toBe(revision('v1'));
  expect(revision('v1')).not.toBe(revision('v2'));
});

test('tells the association which revision it is', () => {
  const { template } = prefetch();
  expect(propertiesOf(template(), 'AWS::SSM::Association')).toMatchObject({
    DocumentVersion: '$LATEST', Parameters: { Revision: [settingsOf(template()).Revision], StartDelaySeconds: ['120'] },
  });
});

test('does not let a value that is known only at deployment end its line', () => {
  const stack = newStack();
  const name = new CfnParameter(stack, 'Name').valueAsString;
  const content = contentOf({ images: [ImageSelection.tag(ecr.Repository.fromRepositoryName(stack, 'Repository', name), 'v1')] }, stack);
  const line = content.mainSteps[0].inputs.runCommand.find((each: any) => JSON.stringify(each).includes('"Name"'));
  // Split at line ends and joined by what the node program refuses.
  expect(JSON.stringify(line)).toContain('{"Fn::Split":["\\n",');
  expect(JSON.stringify(line)).toContain('{"Fn::Join":["\\\\n",{"Fn::Split"');
});
