import { Duration } from 'aws-cdk-lib';
import * as fc from 'fast-check';
import { howMany, spoiled } from './fuzz';
import { askNodeProgram, run, SETTINGS, whyNoNodeProgram } from './node-program';
import type { ImagePrefetcherProps } from '../../src';
import { ImageSelection, NodeSelection } from '../../src';
import { REGION as REGION_PATTERN } from '../../src/ecr-hosts';
import { validateDigest, validateRepositoryName, validateTag } from '../../src/image-reference';
import { isKnownLater } from '../../src/known-later';
import { validateTagFilter } from '../../src/tag-patterns';
import { validateProps } from '../../src/validate-props';
import { newCluster, newStack, prefetch, settingsOf } from '../fixture';

const skipped = whyNoNodeProgram();
if (skipped) {
  process.stderr.write(`Parameters and settings of document and node program are not compared: ${skipped}\n`);
}

const SEED = Number(process.env.PARAMETER_SEED ?? Date.now() % 2 ** 31);
const DRAWS = 4_000;
const HOSTILE = howMany(1_000, 20_000);
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

function say(name: string, taken: [byUs: boolean, byNode: boolean][]): void {
  const [byUs, byNode] = [0, 1].map(side => taken.filter(one => one[side]).length);
  process.stdout.write(`${name}: ${taken.length} values, ${byUs} taken by document or synth, ${byNode} by the node program, PARAMETER_SEED=${SEED}\n`);
}

/** Whether a check at synth has nothing to say. */
function passes(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

const stackOfProps = newStack();
const [cluster, nodes, images] = [newCluster(stackOfProps), [NodeSelection.nodegroupNames(['a'])], [ImageSelection.registry('a')]];
const takesNumber = (prop: (number: number) => Partial<ImagePrefetcherProps>) => (value: string) => String(Number(value)) === value
  && passes(() => validateProps(stackOfProps, { cluster, nodes, images, reconcile: false, ...prop(Number(value)) }));
/** As the document has it: a value that could end its line would end the here-document. */
const onOneLine = (value: string) => value.replaceAll('\n', '\\n');

/** What is told to the node program: right values, what is taken or written at synth, and what of the rest the node may take. */
interface Held {
  readonly right: fc.Arbitrary<string>;
  readonly atSynth: (value: string) => boolean;
  readonly onlyOnNode?: (value: string) => boolean;
  /** For what is a part of an image name. */
  readonly image?: (value: string) => string;
}

const HELD: Record<string, Held> = {
  Owner: {
    right: text('aZ09-', 66, 1),
    atSynth: value => /^[A-Za-z0-9-]{1,64}$/.test(value),
    onlyOnNode: value => /^[\w.-]+$/.test(value),
  },
  Revision: { right: text('0af', 16, 16), atSynth: value => /^([0-9a-f]{16})?$/.test(value) },
  ParallelPulls: { right: fc.integer({ min: -1, max: 18 }).map(String), atSynth: takesNumber(parallelPulls => ({ parallelPulls })) },
  PinImages: { right: fc.boolean().map(String), atSynth: value => ['true', 'false'].includes(value) },
  MaxDiskUsage: {
    right: fc.integer({ min: -1, max: 102 }).map(String),
    atSynth: takesNumber(maxDiskUsage => ({ maxDiskUsage })),
    onlyOnNode: value => /^(8[5-9]|9[0-9]|100)$/.test(value),
  },
  TimeoutSeconds: {
    right: fc.oneof(fc.integer({ min: 58, max: 172_802 }), fc.constantFrom(59, 60, 172_800, 172_801)).map(String),
    atSynth: takesNumber(seconds => ({ timeout: Duration.seconds(seconds) })),
  },
  // https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
  LogGroup: { right: text('aZ09._/#-', 20), atSynth: value => /^[.\-_/#A-Za-z0-9]{0,512}$/.test(value) },
  Region: {
    right: fc.constantFrom('us-east-1', 'ap-southeast-7', 'us-gov-west-1', 'eusc-de-east-1', 'us-isof-south-1', ''),
    atSynth: value => new RegExp(`^(${REGION_PATTERN})?$`).test(value),
  },
  Tag: { right: text('aZ0._-', 6, 1), atSynth: value => passes(() => validateTag(value)), image: value => `${HOST}/app:${value}` },
  Repository: {
    right: text('ab0', 5, 2),
    atSynth: value => passes(() => validateRepositoryName(value)),
    // ECR has none of a single character.
    onlyOnNode: value => /^[a-z0-9]$/.test(value),
    image: value => `${HOST}/${value}:v1`,
  },
  Digest: {
    right: text('0af', 64, 64).map(digits => `sha256:${digits}`),
    atSynth: value => passes(() => validateDigest(value)),
    image: value => `${HOST}/app@${value}`,
  },
  Include: {
    right: text('aZ0._-*', 6, 1),
    atSynth: value => passes(() => validateTagFilter({ include: [value] })),
    // What no tag can be, and one pattern more.
    onlyOnNode: value => /^[\w.*-]+(&(in|ex)clude=[\w.*-]+)*$/.test(value),
    image: value => `${HOST}/app?newest=1&include=${value}`,
  },
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
    const hostile = fc.sample(spoiled(drawn[name]), { seed: SEED, numRuns: HOSTILE });
    const values = [...new Set([...fc.sample(drawn[name], { seed: SEED, numRuns: DRAWS }), ...hostile])];
    const answers = askNodeProgram<Answer>('run', values.map(value => run({ [`SSM_${name}`]: value })));
    const cases = values.map((value, index) => ({ value, byDocument: takenByDocument(name, value), byNode: answers[index].error === undefined }));
    say(name, cases.map(one => [one.byDocument, one.byNode]));
    expect(answers.filter(({ error }) => error !== undefined && !error.startsWith(`${name} is `))).toEqual([]);
    expect(cases.filter(({ value, byDocument, byNode }) => (byDocument || byNode) && !/^[A-Za-z0-9._/:-]*$/.test(value))).toEqual([]);
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

  test.each(Object.keys(HELD))('and parts of image names: %s is taken by the node program when it is at synth', name => {
    const { right, atSynth, onlyOnNode = () => false, image } = HELD[name];
    const values = [...new Set(fc.sample(spoiled(right), { seed: SEED, numRuns: HOSTILE }))].filter(value => !isKnownLater(value));
    const question = (value: string) => image ? run({}, SETTINGS, [image(value)]) : run({}, { ...SETTINGS, [name]: value });
    const answers = askNodeProgram<Answer>('run', values.map(onOneLine).map(question));
    const cases = values.map((value, index) => ({ value, atSynth: atSynth(value), onNode: answers[index].error === undefined }));
    say(name, cases.map(one => [one.atSynth, one.onNode]));
    for (const side of [true, false]) {
      expect(cases.filter(({ onNode }) => onNode === side).length).toBeGreaterThan(1);
    }
    expect(cases.filter(one => one.atSynth !== one.onNode && !(one.onNode && onlyOnNode(one.value)))).toEqual([]);
    expect(answers.filter(({ error }) => error !== undefined && !error.startsWith(`${image ? 'Image' : name} is `))).toEqual([]);
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
