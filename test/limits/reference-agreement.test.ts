import * as fc from 'fast-check';
import { howMany, spoiled } from './fuzz';
import { askNodeProgram, whyNoNodeProgram } from './node-program';
import type { Reading } from './reference-reader';
import { askReferenceReader, whyNoReferenceReader } from './reference-reader';
import { ACCOUNT, DOMAIN, REGION, SERVICE } from '../../src/ecr-hosts';
import type { ParsedReference } from '../../src/image-reference';
import { parseReference } from '../../src/image-reference';
import { isKnownLater } from '../../src/known-later';

const skipped = whyNoNodeProgram();
if (skipped) {
  process.stderr.write(`How image names are read at synth and on the node is not compared: ${skipped}\n`);
}
const noReader = whyNoReferenceReader();
if (noReader && !skipped) {
  process.stderr.write(`How image names are read is not compared with the kubelet's way: ${noReader}\n`);
}

const SEED = Number(process.env.REFERENCE_SEED ?? Date.now() % 2 ** 31);
const NAMES = 20_000;
const HOSTILE = howMany(2_000, 40_000);

// Small alphabets, so that what is drawn is often right, or nearly.
const text = (characters: string, maxLength: number) => fc.string({ unit: fc.constantFrom(...characters), minLength: 1, maxLength });
const some = (...values: string[]) => fc.constantFrom(...values);
const often = (arbitrary: fc.Arbitrary<string>, rare: fc.Arbitrary<string>) => fc.oneof({ weight: 6, arbitrary }, { weight: 1, arbitrary: rare });

const DOMAINS = ['amazonaws.com', 'amazonaws.com.cn', 'amazonaws.eu', 'on.aws', 'on.amazonwebservices.com.cn', 'on.amazonwebservices.eu',
  'c2s.ic.gov', 'sc2s.sgov.gov', 'cloud.adc-e.uk', 'csp.hci.ic.gov', 'amazonaws.com.evil', 'evil.com', 'amazonawsxcom', 'amazonaws.com:443', 'com'];
const REGIONS = ['us-east-1', 'ap-southeast-7', 'us-gov-west-1', 'cn-north-1', 'eusc-de-east-1', 'us-iso-east-1', 'us-isob-east-1',
  'eu-isoe-west-1', 'us-isof-south-1', 'mx-central-1', 'us-east', 'us--east-1', 'us-east-1-', 'useast1', '1', 'u-s-1', 'us-east-100', 'x.y'];
const ecrHost = fc.tuple(some('123456789012', '000000000000', '12345678901', '1234567890123', 'a23456789012'),
  some('dkr.ecr', 'dkr-ecr', 'dkr.ecr-fips', 'dkr-ecr-fips', 'dkrxecr', 'ecr', 'dkr.ecr.fips'), some(...REGIONS), some(...DOMAINS))
  .map(parts => parts.join('.'));

const host = fc.oneof(
  { weight: 2, arbitrary: some('', 'docker.io/', 'index.docker.io/', 'localhost/', 'quay.io/', 'public.ecr.aws/', 'registry-1.docker.io/') },
  { weight: 1, arbitrary: some('registry:5000/', '127.0.0.1:5000/', 'a.b:65535/', 'a.b:65536/', 'a.b:/', 'A.b/', 'a_b.c/', 'a--b.c/', '[::1]:5000/', 'a..b/', 'docker.io:443/') },
  { weight: 2, arbitrary: ecrHost.map(name => `${name}/`) },
  { weight: 1, arbitrary: text('ab0.-:', 8).map(name => `${name}/`) },
);
const repository = often(
  fc.array(often(text('ab0', 3), text('ab0._-', 6)), { minLength: 1, maxLength: 3 }).map(parts => parts.join('/')),
  fc.oneof(text('aA0._-/', 8), some(...[247, 248, 255, 256].map(length => 'a'.repeat(length)), 'f'.repeat(64), 'localhost', 'a\n', 'é', 'a b')),
);
const tag = fc.oneof(
  { weight: 2, arbitrary: fc.constant('') },
  { weight: 4, arbitrary: often(text('aA0._-', 6), some('a'.repeat(128), 'a'.repeat(129), 'latest\n', 'é', '', 'a;b')).map(one => `:${one}`) },
);
const digest = fc.oneof(
  { weight: 5, arbitrary: fc.constant('') },
  { weight: 2, arbitrary: text('0a', 64).map(one => `@sha256:${one.padEnd(64, 'b')}`) },
  { weight: 1, arbitrary: some('@', `@sha256:${'a'.repeat(63)}`, `@sha256:${'A'.repeat(64)}`, `@sha512:${'a'.repeat(128)}`, `@sha256:${'a'.repeat(64)}\n`) },
);
const name = fc.tuple(host, repository, tag, digest).map(parts => parts.join(''));

interface NodeReading extends Reading {
  readonly error?: string;
  readonly ecr?: { readonly account: string; readonly region: string };
  readonly usual_provider?: boolean;
}

interface Case {
  readonly name: string;
  readonly atSynth?: ParsedReference;
  /** As the wanted list has it. */
  readonly word?: string;
  /** What the node makes of that. */
  readonly onNode?: NodeReading;
  /** What the node makes of the name as it was drawn. */
  readonly asDrawn?: NodeReading;
  readonly byKubelet?: Reading;
}

function readAtSynth(drawn: string): ParsedReference | undefined {
  try {
    return parseReference(drawn);
  } catch {
    return undefined;
  }
}

function meaning(reading: Reading | undefined): Reading | undefined {
  return reading && { host: reading.host, path: reading.path, tag: reading.tag ?? undefined, digest: reading.digest ?? undefined };
}

const same = (left: unknown, right: unknown) => JSON.stringify(left) === JSON.stringify(right);
const isError = (reading?: NodeReading) => reading === undefined || reading.error !== undefined;

/** What this library leaves out although the kubelet reads it: hosts in capitals or by IPv6, ports that no host has, a port of ECR's, other digests. */
function isForRegistries({ host: registry, digest: hash }: Reading): boolean {
  const [, port = '0'] = /^[a-z0-9.-]+(?::([0-9]{1,5}))?$/.exec(registry ?? '') ?? [undefined, '65536'];
  const isEcrWithPort = new RegExp(`^${ACCOUNT}\\.${SERVICE}\\.${REGION}\\.(?:${DOMAIN}):`).test(registry);
  return Number(port) <= 65_535 && !isEcrWithPort && (hash === undefined || /^sha256:[a-f0-9]{64}$/.test(hash));
}

(skipped ? describe.skip : describe)('an image name', () => {
  let cases: Case[];

  beforeAll(() => {
    const hostile = fc.sample(spoiled(name), { seed: SEED, numRuns: HOSTILE });
    const drawn = [...new Set([...fc.sample(name, { seed: SEED, numRuns: NAMES }), ...hostile])].filter(each => !isKnownLater(each));
    const atSynth = drawn.map(readAtSynth);
    const words = atSynth.map(one => one && `${one.host}/${one.path}${one.digest ? `@${one.digest}` : `:${one.tag}`}`);
    const onNode = askNodeProgram<NodeReading>('read', [...words.map(word => word ?? ''), ...drawn]);
    const byKubelet = noReader ? [] : askReferenceReader(drawn);
    cases = drawn.map((each, index) => ({
      name: each,
      atSynth: atSynth[index],
      word: words[index],
      onNode: words[index] === undefined ? undefined : onNode[index],
      asDrawn: onNode[drawn.length + index],
      byKubelet: byKubelet[index],
    }));
    process.stdout.write(`${cases.length} image names, ${cases.filter(one => one.atSynth).length} of them taken, ${cases.filter(one => one.atSynth?.ecr).length} of ECR, REFERENCE_SEED=${SEED}\n`);
  }, 120_000);

  /** The shortest ones say most. */
  const shortest = (wrong: Case[]) => wrong.map(one => JSON.stringify(one)).sort((left, right) => left.length - right.length).slice(0, 5);

  test('is drawn often enough on either side', () => {
    const taken = cases.filter(one => one.atSynth);
    expect(taken.length / cases.length).toBeGreaterThan(0.15);
    expect(taken.length / cases.length).toBeLessThan(0.85);
    expect(taken.filter(one => one.atSynth!.ecr).length).toBeGreaterThan(50);
    expect(taken.filter(one => one.atSynth!.digest).length).toBeGreaterThan(500);
  });

  test('that is taken at synth is taken by the node, as the same host, path, tag and digest', () => {
    expect(shortest(cases.filter(one => one.atSynth && (isError(one.onNode) || !same(meaning(one.atSynth), meaning(one.onNode)))))).toEqual([]);
  });

  test('is one of a private ECR registry for the node just when it is at synth, of the same account and region', () => {
    expect(shortest(cases.filter(one => one.atSynth && !same(one.atSynth.ecr ?? null, one.onNode?.ecr)))).toEqual([]);
  });

  test('of a private ECR registry gets the credentials that every EKS node has', () => {
    expect(shortest(cases.filter(one => one.onNode?.ecr && !one.onNode.usual_provider))).toEqual([]);
  });

  (noReader ? describe.skip : describe)('and the kubelet', () => {
    test('mean the same by what is taken at synth', () => {
      expect(shortest(cases.filter(one => one.atSynth && !same(meaning(one.atSynth), meaning(one.byKubelet))))).toEqual([]);
    });

    test('mean the same by what the node takes as it is, but for ports that are too long', () => {
      const taken = cases.filter(one => !isError(one.asDrawn));
      expect(taken.length).toBeGreaterThan(1_000);
      expect(shortest(taken.filter(one => !same(meaning(one.asDrawn), meaning(one.byKubelet))))).toEqual([]);
    });

    test('agree at synth on everything that a registry can have', () => {
      expect(shortest(cases.filter(one => one.byKubelet && isForRegistries(one.byKubelet) && !one.atSynth))).toEqual([]);
    });
  });
});
