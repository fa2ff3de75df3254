/** Random values in the script of a document, as Systems Manager and its agent render it, run by real shells. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { CfnParameter, Duration, Token } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as fc from 'fast-check';
import { FUZZ_SEED, howMany, INJECTIONS, spoiled } from './fuzz';
import { askNodeProgram, run, SETTINGS, whyNoNodeProgram } from './node-program';
import { ImageSelection } from '../../src';
import { Template } from '../../testbed/aws';
import type { RenderedCommand } from '../../testbed/aws';
import { documentsOf, renderCommand } from '../../testbed/aws/document';
import { parseReport } from '../../testbed/report';
import { ACCOUNT, newStack, prefetch, REGION } from '../fixture';

const skipped = whyNoNodeProgram();
if (skipped) {
  process.stderr.write(`No hostile values are run by a shell: ${skipped}\n`);
}

jest.setTimeout(600_000);

const RUNS_OF_NAME = howMany(3, 100);
/** Ends the settings, and is the program. */
const WORST = '\nSETTINGS\nopen("canary","w")\nPROGRAM\n';
/** What the `$` of Java's expressions passes over. */
const LINE_ENDS = ['\n', '\r\n', '\u0085', '\u2028', '\u2029'].slice(0, howMany(1, 5));
const HOST = `${ACCOUNT}.dkr.ecr.${REGION}.amazonaws.com`;
const text = (characters: string, length: number) => fc.string({ unit: fc.constantFrom(...characters), minLength: length, maxLength: length });

/** What differs from run to run. */
const PARAMETERS: Record<string, fc.Arbitrary<string>> = {
  Pushed: text('ab0', 4).map(tag => `${HOST}/app:${tag}`),
  PushedAt: fc.constant('2026-01-01T00:00:00Z'),
  Revision: text('0af', 16),
  StartDelaySeconds: fc.integer({ min: 0, max: 120 }).map(String),
};

/** What may be known only at deployment: the setting that it is a part of, and a text that is right. */
const AT_DEPLOYMENT: Record<string, { setting: string; right: string }> = {
  Tag: { setting: 'Image', right: 'v1' },
  Repository: { setting: 'Image', right: 'team/app' },
  Digest: { setting: 'Image', right: `sha256:${'a'.repeat(64)}` },
  LogGroup: { setting: 'LogGroup', right: 'group' },
  ParallelPulls: { setting: 'ParallelPulls', right: '2' },
  MaxDiskUsage: { setting: 'MaxDiskUsage', right: '75' },
  Keep: { setting: 'Image', right: '3' },
  Timeout: { setting: 'TimeoutSeconds', right: '600' },
};

function synthesised(literal: Record<string, string> = {}) {
  const stack = newStack();
  const given = Object.fromEntries(Object.keys(AT_DEPLOYMENT).map(name => [name, new CfnParameter(stack, name)]));
  const textOf = (name: string) => literal[name] ?? given[name].valueAsString;
  const repository = ecr.Repository.fromRepositoryAttributes(stack, 'Repo', {
    repositoryArn: stack.formatArn({ service: 'ecr', resource: 'repository', resourceName: textOf('Repository') }), repositoryName: textOf('Repository'),
  });
  const { template } = prefetch({
    images: [
      ImageSelection.tag(repository, textOf('Tag')),
      ImageSelection.digest(repository, textOf('Digest')),
      ImageSelection.repository(repository, { keep: Token.asNumber(given.Keep.value) }),
    ],
    logGroup: logs.LogGroup.fromLogGroupName(stack, 'Logs', textOf('LogGroup')),
    parallelPulls: Token.asNumber(given.ParallelPulls.value),
    maxDiskUsage: Token.asNumber(given.MaxDiskUsage.value),
    timeout: Duration.seconds(Token.asNumber(given.Timeout.value)),
    prefetchOnPush: false,
  }, stack);
  return template().toJSON();
}

interface Case {
  /** What the report is to blame. */
  readonly name: string;
  readonly value: string;
  readonly command: RenderedCommand;
}

(skipped ? describe.skip : describe)('hostile values in the script of a document', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'canaries-'));
  const template = skipped ? {} : synthesised();
  let ran = 0;

  /** The script after a deployment, for a run with these parameters. */
  function render(deployed: Record<string, string>, parameters: Record<string, string>, version: 'current' | 'old', source = template): RenderedCommand {
    const overrides = { ...Object.fromEntries(Object.entries(AT_DEPLOYMENT).map(([name, { right }]) => [name, right])), ...deployed };
    const document = [...documentsOf(new Template(source, { account: ACCOUNT, region: REGION, stackName: 'Stack', overrides })).values()][0];
    return renderCommand(document, { ...document.withDefaults({}), ...parameters }, { platform: 'Linux', version, env: { PATH: process.env.PATH!, AWS_SSM_INSTANCE_ID: 'i-1' } })!;
  }

  /**
   * What of the values the program refuses, so that no run goes further. No environment and no document can have a NUL, double braces
   * in a document are Systems Manager's, and its 64 KB are nearly full.
   */
  function refused(right: fc.Arbitrary<string>, question: (value: string) => unknown): string[] {
    const drawn = fc.sample(fc.tuple(right, spoiled(right)), { seed: FUZZ_SEED, numRuns: RUNS_OF_NAME * 4 }).map(([one, other]) => [`${one}${WORST}`, other]);
    // What Python may take for the end of a line, too.
    const values = [drawn[0][0], `${drawn[0][0].split('\n')[0]}\rx`, ...new Set(drawn.map(([, value]) => Buffer.from(value.replaceAll('\0', '')).toString()))];
    const answers = askNodeProgram<{ error?: string }>('run', values.map(question));
    return values.filter((value, index) => answers[index].error !== undefined && !/\{\{|\}\}/.test(value) && value.length < 2_000).slice(0, RUNS_OF_NAME);
  }

  /** Every file is a canary, but the script. */
  const canaries = () => fs.readdirSync(folder).filter(file => file !== '_script.sh');

  function expectRefused(cases: Case[]): void {
    expect(cases.length).toBeGreaterThan(0);
    const file = path.join(folder, '_script.sh');
    const wrong = cases.filter(({ name, command }, index) => {
      fs.writeFileSync(file, command.script, { mode: 0o700 });
      const { status, stdout, stderr } = spawnSync(['sh', 'bash'][index % 2], ['-c', file], { cwd: folder, env: command.env, encoding: 'utf8', timeout: 30_000 });
      ran++;
      const error: string = parseReport(stdout).summary.error ?? '';
      return status !== 2 || !error.startsWith(`${name} is `) || !stderr.includes(`${name} is `) || /Traceback/.test(stdout + stderr) || canaries().length > 0;
    });
    expect(canaries()).toEqual([]);
    expect(wrong.map(({ name, value }) => `${name} ${JSON.stringify(value).slice(0, 300)}`).sort((left, right) => left.length - right.length).slice(0, 5)).toEqual([]);
  }

  afterEach(() => canaries().forEach(file => fs.rmSync(path.join(folder, file), { recursive: true })));

  afterAll(() => {
    fs.rmSync(folder, { recursive: true });
    process.stdout.write(`${ran} scripts with hostile values run by shells, FUZZ_SEED=${FUZZ_SEED}\n`);
  });

  test('would leave a trace where a script pastes them in', () => {
    const untraced = INJECTIONS.filter(value => {
      const python = (code: string) => `python3 <<'SETTINGS' <<'PROGRAM'\na${value}\nSETTINGS\n${code}\nPROGRAM\n`;
      const scripts = [`: a${value}`, `: "a${value}"`, `: 'a${value}'`, `if true; then export A="a${value}"; fi`, `cat <<SETTINGS >/dev/null\na${value}\nSETTINGS\n`,
        python(''), python(`print('a${value}')`), python(`print("a${value}")`)];
      return !scripts.some(script => {
        spawnSync('bash', ['-c', script], { cwd: folder });
        return canaries().map(file => fs.rmSync(path.join(folder, file))).length > 0;
      });
    });
    expect(untraced).toEqual([]);
  });

  test.each(Object.keys(PARAMETERS))('%s of a run is refused by name, and nothing of it runs', name => {
    const values = refused(PARAMETERS[name], value => run({ [`SSM_${name}`]: value }));
    const ordinary = render({}, {}, 'current');
    // The document refuses them all, so it is not Systems Manager who gives them.
    expectRefused(values.map(value => ({ name, value, command: { ...ordinary, env: { ...ordinary.env, [`SSM_${name}`]: value } } }))
      // By an agent that pastes, what the service may let through.
      .concat(LINE_ENDS.map(end => fc.sample(PARAMETERS[name], { seed: FUZZ_SEED, numRuns: 1 })[0] + end)
        .map(value => ({ name, value, command: render({}, { [name]: value }, 'old') }))));
  });

  test.each(Object.keys(AT_DEPLOYMENT))('%s that is known only at deployment is refused by name, and nothing of it runs', name => {
    const { setting, right } = AT_DEPLOYMENT[name];
    const words: Record<string, (value: string) => string> = {
      Tag: tag => `${HOST}/a:${tag}`,
      Repository: repository => `${HOST}/${repository}:v1`,
      Digest: digest => `${HOST}/a@${digest}`,
      Keep: keep => `${HOST}/a?newest=${keep}`,
    };
    const values = refused(fc.constant(right), value => {
      const line = value.replaceAll('\n', '\\n');
      return setting === 'Image' ? run({}, SETTINGS, [words[name](line)]) : run({}, { ...SETTINGS, [setting]: line });
    });
    expectRefused(values.map(value => ({ name: setting, value, command: render({ [name]: value }, {}, 'current') })));
  });

  test.each([
    ['LogGroup', 'LogGroup', 'group'], ...['Tag', 'Digest', 'Repository'].map(name => [name, 'Image', `dummy-value-for-${name.toLowerCase()}`]),
  ])('%s that was looked up at synth is refused by name, and nothing of it runs', (name, setting, start) => {
    const value = `${start}${WORST}`;
    expectRefused([{ name: setting, value, command: render({}, {}, 'current', synthesised({ [name]: value })) }]);
  });
});
