import { Duration } from 'aws-cdk-lib';
import * as fc from 'fast-check';
import { askNodeProgram, whyNoNodeProgram } from './node-program';
import { newStack, prefetch, settingsOf } from '../fixture';

const skipped = whyNoNodeProgram();
if (skipped) {
  process.stderr.write(`Parameters and settings of document and node program are not compared: ${skipped}\n`);
}

const SEED = Number(process.env.PARAMETER_SEED ?? Date.now() % 2 ** 31);
const DRAWS = 4_000;
const APPS = 40;
const HOST = '123456789012.dkr.ecr.us-east-1.amazonaws.com';

/** The node program's answer to the settings and parameters of a run. */
interface Answer {
  readonly error?: string;
  readonly owner: string;
  readonly parallel: number;
  readonly pin: boolean;
  readonly max_usage: number;
  readonly seconds: number;
  readonly arrives: string[];
  readonly [name: string]: unknown;
}

function documents() {
  const found = Object.values<any>(prefetch().template().findResources('AWS::SSM::Document')).map(({ Properties }) => Properties);
  const parametersOf = (type: string): Record<string, { allowedPattern?: string; default?: string }> =>
    found.find(({ DocumentType }) => DocumentType === type).Content.parameters;
  return { command: parametersOf('Command'), runbook: parametersOf('Automation') };
}

const SETTINGS: Record<string, string> = {
  Owner: 'one', Revision: '0123456789abcdef', ParallelPulls: '2', PinImages: 'true', MaxDiskUsage: '75', TimeoutSeconds: '600', LogGroup: 'group', Region: 'us-east-1',
};

function lines(settings: Record<string, string>, images: string[] = []): string {
  return [...Object.entries(settings).map(([name, value]) => `${name}=${value}`), ...images.map(image => `Image=${image}`)].map(line => `${line}\n`).join('');
}

const run = (environment: Record<string, string>, settings = SETTINGS, images: string[] = []) => ({ settings: lines(settings, images), environment });
const text = (characters: string, maxLength: number, minLength = 0) => fc.string({ unit: fc.constantFrom(...characters), minLength, maxLength });

/** Values that are right, nearly right, and wrong. */
const drawn: Record<string, fc.Arbitrary<string>> = {
  Pushed: fc.oneof(
    fc.tuple(fc.constantFrom(HOST, HOST.replace('dkr.ecr', 'dkr-ecr-fips'), `${HOST}.cn`, `${HOST}:443`, 'quay.io', 'A.b'), text('ab0._/-', 6), fc.constantFrom(':', ':', '@', ''), text('aA0._-', 5))
      .map(([host, path, separator, tag]) => `${host}/${path}${separator}${tag}`),
    fc.constantFrom('', `${HOST}/a:b\n`, `${HOST}/a:b c`, `${HOST}/a:$(b)`, `${HOST}/a:${'b'.repeat(128)}`, `${HOST}/a:${'b'.repeat(129)}`,
      ...[255, 256].flatMap(length => [`${HOST}/${'a'.repeat(length)}:v1`, `${HOST}/a/${'b'.repeat(length - 2)}:v1`]))),
  PushedAt: fc.oneof(
    fc.tuple(text('0129', 4, 4), text('019', 2, 2), text('0123', 2, 2), fc.constantFrom('T', 't', ' '), text('0123', 2, 2), fc.constantFrom(':', ''), text('0159', 2, 2), fc.constantFrom('Z', '', '+00:00'))
      .map(([year, month, day, separator, hour, colon, minute, zone]) => `${year}-${month}-${day}${separator}${hour}${colon}${minute}:00${zone}`),
    fc.constantFrom('', 'now', '2026-01-01T00:00:00.123Z', '٢026-01-01T00:00:00Z')),
  Revision: fc.oneof(text('0af', 17, 15), text('0afAg', 18), fc.constantFrom('', '0123456789abcdef')),
  StartDelaySeconds: fc.oneof(fc.integer({ min: -3, max: 130 }).map(String), fc.constantFrom('', '00', '1.0', '1e1', ' 1', '٣')),
};

(skipped ? describe.skip : describe)('parameters of a run', () => {
  const { command, runbook } = skipped ? { command: {}, runbook: {} } : documents();
  const takenByDocument = (name: string, value: string) => new RegExp(command[name].allowedPattern!).test(value);

  test('have the same names in document and node program', () => {
    const [names] = askNodeProgram<{ parameters: string[] }>('names', [null]);
    expect(names.parameters.sort()).toEqual(Object.keys(command).sort());
    expect(Object.keys(drawn).sort()).toEqual(Object.keys(command).sort());
  });

  test.each(Object.keys(drawn))('%s is taken by the node program just when the document takes it', name => {
    process.stdout.write(`PARAMETER_SEED=${SEED}\n`);
    const values = [...new Set(fc.sample(drawn[name], { seed: SEED, numRuns: DRAWS }))];
    const answers = askNodeProgram<Answer>('run', values.map(value => run({ [`SSM_${name}`]: value })));
    const cases = values.map((value, index) => ({ value, byDocument: takenByDocument(name, value), byNode: answers[index].error === undefined }));
    for (const side of [true, false]) {
      expect(cases.filter(({ byNode }) => byNode === side).length).toBeGreaterThan(2);
    }
    expect(cases.filter(({ value, byDocument, byNode }) => byDocument !== byNode
      // The gate gives none at all; and only ECR's hosts are looked at twice, by the node.
      && !(value === '' && byNode) && !(name === 'Pushed' && byDocument && !byNode))).toEqual([]);
  });

  test('what the runbook takes of an event is taken by the document and by the node program, as that image', () => {
    const event = fc.record({
      Account: fc.oneof(text('0123456789', 12, 12), text('0a', 13, 11)),
      Region: fc.constantFrom('us-east-1', 'ap-southeast-7', 'us-gov-west-1', 'cn-north-1', 'eusc-de-east-1', 'us-isof-south-1', 'us_east', '', 'x', 'us-east-100'),
      Repository: fc.oneof(text('ab0', 5, 2), text('ab0._/-', 8), fc.constantFrom('a'.repeat(255), 'a'.repeat(256), 'A', 'a\n', '')),
      Tag: fc.oneof(text('aA0', 5, 1), text('aA0._-', 6), fc.constantFrom('a'.repeat(128), 'a'.repeat(129), 'é', 'a;b', '')),
    });
    const suffixes: Record<string, string> = { 'cn-north-1': 'amazonaws.com.cn', 'eusc-de-east-1': 'amazonaws.eu', 'us-isof-south-1': 'csp.hci.ic.gov' };
    const byRunbook = fc.sample(event, { seed: SEED, numRuns: DRAWS })
      .filter(one => Object.entries(one).every(([name, value]) => new RegExp(runbook[name].allowedPattern!).test(value)));
    const pushedImage = (one: Record<string, string>) =>
      `${one.Account}.dkr.ecr.${one.Region}.${suffixes[one.Region] ?? 'amazonaws.com'}/${one.Repository}:${one.Tag}`;
    // ECR allows a repository one character more than containerd: a pattern that Go reads can't tell, the next ones do.
    const isTooLong = (one: Record<string, string>) => one.Repository.length > 255;
    const [tooLong, taken] = [byRunbook.filter(isTooLong), byRunbook.filter(one => !isTooLong(one))].map(some => some.map(pushedImage));
    expect(taken.length).toBeGreaterThan(200);
    expect(tooLong.length).toBeGreaterThan(2);
    expect(tooLong.filter(pushed => takenByDocument('Pushed', pushed))).toEqual([]);
    expect(taken.filter(pushed => !takenByDocument('Pushed', pushed))).toEqual([]);
    const answers = askNodeProgram<Answer>('run', taken.map(pushed => run({ SSM_Pushed: pushed }, SETTINGS, [pushed])));
    expect(answers.map(({ error, arrives }) => error ?? arrives)).toEqual(taken.map(pushed => [pushed]));
  });
});

(skipped ? describe.skip : describe)('settings', () => {
  test('have the same names in document and node program', () => {
    const { Images, ...settings } = settingsOf(prefetch().template());
    expect(Images).not.toBe('');
    const [names] = askNodeProgram<{ settings: string[] }>('names', [null]);
    expect(names.settings.sort()).toEqual(Object.keys(settings).sort());
  });

  test('that are taken at synth are taken by the node program, with the same values, and no others are', () => {
    process.stdout.write(`PARAMETER_SEED=${SEED}\n`);
    const near = (...values: number[]) => fc.constantFrom(...values.flatMap(value => [value - 1, value, value + 1]));
    // One of them may be out of its bounds.
    const props = fc.oneof(
      fc.record({ parallelPulls: near(1, 16), maxDiskUsage: fc.constant(75), timeout: fc.constant(600) }),
      fc.record({ parallelPulls: fc.constant(2), maxDiskUsage: fc.constant(75), timeout: near(60, 172_800) }),
      fc.record({ parallelPulls: fc.integer({ min: 1, max: 16 }), maxDiskUsage: near(1, 84), timeout: fc.integer({ min: 60, max: 172_800 }) }),
    );
    const stackName = text('abcXYZ019-', 60, 1).map(end => `S${end}`);
    const chosen = fc.sample(fc.record({ props, pinImages: fc.boolean(), stackName }), { seed: SEED, numRuns: APPS });
    const synthesised = chosen.map(one => {
      try {
        const stack = newStack(one.stackName);
        return settingsOf(prefetch({ ...one.props, timeout: Duration.seconds(one.props.timeout), pinImages: one.pinImages }, stack).template());
      } catch (error) {
        expect((error as Error).message).toMatch(/must be/);
        return undefined;
      }
    });
    const told = chosen.map(({ props: { parallelPulls, maxDiskUsage, timeout }, pinImages }, index) => {
      // What a refused app would have told the node.
      const numbers = { ParallelPulls: `${parallelPulls}`, MaxDiskUsage: `${maxDiskUsage}`, TimeoutSeconds: `${timeout}` };
      const refused: Record<string, string> = { ...SETTINGS, ...numbers, PinImages: `${pinImages}` };
      const { Images: _, ...settings } = synthesised[index] ?? refused;
      return run({}, { ...settings, LogGroup: 'group' });
    });
    const answers = askNodeProgram<Answer>('run', told);
    const cases = chosen.map((one, index) => ({ ...one, atSynth: synthesised[index] !== undefined, onNode: answers[index] }));
    expect(cases.filter(({ atSynth }) => atSynth).length).toBeGreaterThan(APPS / 5);
    // 85 is what kubelets start to evict at by default; the node goes by its own kubelet's.
    const judged = cases.filter(({ props: { maxDiskUsage } }) => maxDiskUsage !== 85);
    expect(judged.filter(({ atSynth, onNode }) => atSynth !== (onNode.error === undefined))).toEqual([]);
    for (const { atSynth, onNode, props: { parallelPulls, maxDiskUsage, timeout }, pinImages } of cases) {
      if (atSynth) {
        expect(onNode).toMatchObject({ parallel: parallelPulls, max_usage: maxDiskUsage, seconds: timeout, pin: pinImages });
      }
    }
  });
});
