/** Random events through what an app synthesised, from AWS's own matcher to what the node program is told. */
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as fc from 'fast-check';
import { pullThrough, push, replication } from './ecr-events';
import { FUZZ_SEED, hostile, howMany, spoiled } from './fuzz';
import { askNodeProgram, whyNoNodeProgram } from './node-program';
import { ImageSelection } from '../../src';
import type { Event, PatternMatcher } from '../../testbed/aws';
import type { PlannedCommand } from '../../testbed/aws/control-plane';
import { Deployment } from '../../testbed/deployment';
import { canMatchEvents } from '../../testbed/engines/capabilities';
import { EventRuler } from '../../testbed/engines/event-ruler';
import { ACCOUNT, newStack, prefetch, REGION } from '../fixture';

const skipped = (canMatchEvents() ? undefined : 'Java and AWS\'s event-ruler are not there') ?? whyNoNodeProgram();
if (skipped) {
  process.stderr.write(`No hostile events are tried: ${skipped}\n`);
}

const EVENTS = howMany(1_500, 15_000);
const HOST = `${ACCOUNT}.dkr.ecr.${REGION}.amazonaws.com`;
/** The wanted repositories, and which of their tags are. */
const WANTED: Record<string, (tag: string) => boolean> = {
  'team/app': tag => (tag.startsWith('v') || tag.endsWith('-prod')) && !tag.endsWith('-rc'),
  'team/every': tag => !tag.startsWith('sha256-'),
  'team/fixed': tag => tag === 'v1.2.0',
};

function deploy(matcher: PatternMatcher): Deployment {
  const stack = newStack();
  const repository = (name: string) => ecr.Repository.fromRepositoryName(stack, name.replace('/', '-'), name);
  prefetch({
    images: [
      ImageSelection.repository(repository('team/app'), { tags: { include: ['v*', '*-prod'], exclude: ['*-rc'] } }),
      ImageSelection.repository(repository('team/every')),
      ImageSelection.tag(repository('team/fixed'), 'v1.2.0'),
    ],
  }, stack);
  const deployed = new Deployment(stack, matcher);
  // An old agent pastes parameters into the script.
  for (const agent of ['current', 'old'] as const) {
    deployed.fleet.push({ name: agent, agent, tags: deployed.nodegroupTags('Gpu'), run: () => Promise.reject(new Error('nothing is run here')) });
  }
  return deployed;
}

const repository = fc.constantFrom(...Object.keys(WANTED), ...Object.keys(WANTED), 'team/app-2', 'team/other');
const tag = fc.oneof({ weight: 4, arbitrary: fc.constantFrom('v1.2.0', 'v7', 'latest', 'build-7-prod', 'v1.3.0-rc', 'vv', 'x'.repeat(128)) },
  fc.string({ unit: fc.constantFrom(...'vV1._-'), maxLength: 5 }));
const likeAws: fc.Arbitrary<Event> = fc.tuple(fc.constantFrom(push, replication, pullThrough), repository, tag)
  .map(([event, ...of]) => ({ ...event(...of) }));

/** Fields that are changed, and for each what is nearly right. */
const FIELDS: Record<string, string[]> = {
  'source': ['aws.ec2', 'aws.ecr.evil', 'custom.ecr', 'AWS.ECR'],
  'account': ['210987654321', '12345678901', '1234567890123'],
  'region': ['eu-west-1', 'us-east-1 ', 'us-east-', 'US-EAST-1'],
  'detail-type': ['ECR Image Action', 'ECR Image Scan', 'ECR Referrer Action', 'EC2 Instance State-change Notification'],
  'time': ['2026-01-01T00:00:00.123Z', '2026-01-01T00:00:00+00:00', '2026-01-01'],
  'detail.repository-name': ['team/app-2', 'team/ap', 'app', 'Team/app', 'team/app/', 'team//app', 'team/*', 'other/team/app'],
  'detail.image-tag': ['v1.2.O', 'v1.2.0 ', ' v1.2.0', 'v1.2.0\n', 'x'.repeat(129), '-v1', `sha256-${'a'.repeat(64)}.sig`],
  'detail.result': ['SUCCESS', 'FAILURE', 'success'],
  'detail.action-type': ['DELETE', 'PUSH', 'REPLICATE', 'push'],
  'detail.sync-status': ['SUCCESS', 'FAILED'],
  'detail.artifact-media-type': ['application/vnd.cncf.helm.config.v1+json', 'application/spdx+json', ''],
  'detail.manifest-media-type': ['application/vnd.oci.image.index.v1+json'],
  'detail.image-digest': [`sha256:${'a'.repeat(63)}`, 'sha256:'],
  'detail': [],
  'resources': [],
  'id': [],
  'detail.$or': [],
  'detail.a;touch canary': [],
  '{{ Pushed }}': [],
  '$(touch canary)': [],
};
const strange = (own: unknown, near: string[]): fc.Arbitrary<unknown> => fc.oneof(
  { weight: 8, arbitrary: spoiled(fc.constant(typeof own === 'string' ? own : 'x')) },
  { weight: 5, arbitrary: fc.constantFrom<unknown>(undefined, ...near) },
  { weight: 4, arbitrary: fc.constantFrom<unknown>(null, '', 0, -1, 1e308, true, [], {}, [own], [own, 'v1'], ['x', own], { a: own }, [[own]], [null]) },
  { weight: 2, arbitrary: hostile.chain(text => fc.constantFrom<unknown>([own, text], [text, own], { [text]: own }, [text])) },
  { weight: 1, arbitrary: fc.jsonValue({ stringUnit: 'binary' }) },
);

/** The event with one field more, less or other. */
function change(event: Event): fc.Arbitrary<Event> {
  return fc.constantFrom(...Object.keys(FIELDS)).chain(field => {
    const [name, inDetail] = field.startsWith('detail.') ? [field.slice(7), true] : [field, false];
    const isObject = typeof event.detail === 'object' && event.detail !== null && !Array.isArray(event.detail);
    return strange(inDetail ? event.detail?.[name] : event[name], FIELDS[field]).map(value =>
      inDetail && isObject ? { ...event, detail: { ...event.detail, [name]: value } } : { ...event, [name]: value });
  });
}

/** As it comes over the wire. */
const event = fc.oneof(
  { weight: 2, arbitrary: likeAws },
  { weight: 5, arbitrary: likeAws.chain(change) },
  { weight: 2, arbitrary: likeAws.chain(change).chain(change) },
  { weight: 1, arbitrary: fc.dictionary(fc.oneof(fc.constantFrom(...Object.keys(FIELDS)), hostile), fc.jsonValue({ stringUnit: 'binary' }), { maxKeys: 8 }) },
).map((one): Event => JSON.parse(JSON.stringify(one)));

/** By the event's own words alone: the wanted image that was pushed. */
function wantedImage({ account, region, detail }: Event): string | undefined {
  const [name, pushed] = [detail?.['repository-name'], detail?.['image-tag']];
  return account === ACCOUNT && region === REGION && typeof name === 'string' && typeof pushed === 'string' && Object.hasOwn(WANTED, name)
    && /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.exec(pushed)?.[0] === pushed && WANTED[name](pushed) ? `${HOST}/${name}:${pushed}` : undefined;
}

/** What else it says. AWS's matcher looks into lists, of which any item will do, and an object is not there: AWS sends neither. */
const SAID: [(event: Event) => unknown, (string | undefined)[]][] = [
  [({ source }) => source, ['aws.ecr']],
  [one => one['detail-type'], ['ECR Image Action', 'ECR Replication Action', 'ECR Pull Through Cache Action']],
  [({ detail }) => detail?.result, [undefined, 'SUCCESS']],
  [({ detail }) => detail?.['sync-status'], [undefined, 'SUCCESS']],
  [({ detail }) => detail?.['action-type'], [undefined, 'PUSH', 'REPLICATE']],
  [({ detail }) => detail?.['artifact-media-type'], [undefined, '', 'application/vnd.docker.container.image.v1+json', 'application/vnd.oci.image.config.v1+json']],
];
const isPush = (one: Event) => SAID.every(([value, allowed]) => (allowed as unknown[]).includes(value(one)));
const isDenied = (one: Event) => SAID.some(([value, allowed]) =>
  (value(one) === null || typeof value(one) !== 'object') && !(allowed as unknown[]).includes(value(one)));
const isTime = (value: unknown): value is string => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.exec(value)?.[0] === value;

interface Case {
  readonly event: Event;
  readonly matched: boolean;
  /** Why nothing was sent to the nodes. */
  readonly refused?: string;
  /** What each node's environment has of the run, and how its script differs from that of an ordinary push but for that. */
  readonly sent: { readonly env: Record<string, string>; readonly differs: boolean }[];
  /** What the node program is to bring. */
  arrives?: string[];
}

(skipped ? describe.skip : describe)('hostile events', () => {
  const ruler = new EventRuler();
  let cases: Case[];

  beforeAll(async () => {
    const began = Date.now();
    const events = fc.sample(event, { seed: FUZZ_SEED, numRuns: EVENTS });
    const answers = new Map<string, Map<object, boolean>>();
    const matches = (pattern: object, one: object) => {
      const answer = answers.get(JSON.stringify(pattern))?.get(one);
      if (answer === undefined) {
        throw new Error('a pattern or an event that the matcher was not asked for');
      }
      return answer;
    };
    const { plane } = deploy({ matches });
    const ordinary = { ...push('team/every', 'ordinary') };
    const asked = [ordinary, ...events];
    for (const { properties: { EventPattern: pattern } } of plane.template.resources('AWS::Events::Rule')) {
      const matched = await ruler.matchesEach(pattern, asked);
      answers.set(JSON.stringify(pattern), new Map(asked.map((one, index) => [one, matched[index]])));
    }
    const byAgent = new Map((await plane.explain(ordinary)).commands.map(command => [command.node, command]));
    expect([...byAgent.keys()]).toEqual(['current', 'old']);
    const putInto = ({ script, env }: PlannedCommand, pushed: string, at: string): { script: string; env: Record<string, string> } => ({
      script: script.replaceAll(`${HOST}/team/every:ordinary`, () => pushed).replaceAll(ordinary.time, () => at),
      env: { ...env, ...env.SSM_Pushed && { SSM_Pushed: pushed, SSM_PushedAt: at } },
    });
    cases = [];
    for (const one of events) {
      const { deliveries, commands } = await plane.explain(one);
      const image = wantedImage(one);
      const sent = commands.map(command => {
        const expected = putInto(byAgent.get(command.node)!, image ?? `${HOST}/${one.detail['repository-name']}:${one.detail['image-tag']}`, one.time);
        // Each command has an id of its own.
        const env: Record<string, string> = { ...command.env, SSM_COMMAND_ID: expected.env.SSM_COMMAND_ID };
        return { env, differs: command.script !== expected.script || JSON.stringify(env) !== JSON.stringify(expected.env) };
      });
      cases.push({ event: one, matched: deliveries.length > 0, refused: deliveries.find(({ status }) => status === 'Failed')?.reason, sent });
    }
    const { script } = byAgent.get('current')!;
    const settings = `${script.slice(script.indexOf('PROGRAM\'\n') + 9, script.indexOf('\nSETTINGS\n'))}\n`;
    const reached = cases.filter(({ sent }) => sent.length > 0);
    const told = askNodeProgram<{ error?: string; arrives: string[] }>('run', reached.map(({ sent: [{ env }] }) => ({ settings, environment: env })));
    reached.forEach((one, index) => { one.arrives = told[index].error === undefined ? told[index].arrives : [`refused: ${told[index].error}`]; });
    const count = (of: (one: Case) => unknown) => cases.filter(of).length;
    process.stdout.write(`${cases.length} events, ${count(one => one.matched)} matched, of which ${count(one => one.refused)} were refused by the runbook `
      + `and ${reached.length} reached nodes, which bring ${count(one => one.arrives?.length)} images; `
      + `${Math.round((Date.now() - began) / 1000)} s, FUZZ_SEED=${FUZZ_SEED}\n`);
  }, 1_200_000);

  afterAll(() => ruler.stop());

  /** The shortest ones say most. */
  const shortest = (wrong: Case[]) => wrong.map(one => JSON.stringify(one)).sort((left, right) => left.length - right.length).slice(0, 5);

  test('are drawn often enough of every kind', () => {
    expect(cases.filter(({ matched }) => matched).length / EVENTS).toBeGreaterThan(0.15);
    expect(cases.filter(({ matched }) => !matched).length / EVENTS).toBeGreaterThan(0.3);
    expect(cases.filter(({ refused }) => refused).length).toBeGreaterThan(EVENTS / 100);
    expect(cases.filter(({ arrives }) => arrives?.length).length).toBeGreaterThan(EVENTS / 20);
  });

  test('that are the push of a wanted image bring it to every node', () => {
    const genuine = cases.filter(one => isPush(one.event) && isTime(one.event.time) && wantedImage(one.event));
    expect(genuine.length).toBeGreaterThan(EVENTS / 20);
    const isBrought = ({ sent, arrives = [], event: one }: Case) => sent.length === 2 && arrives.length === 1 && arrives[0] === wantedImage(one);
    expect(shortest(genuine.filter(one => !isBrought(one)))).toEqual([]);
  });

  test('reach no node unless they say that something was pushed to a wanted repository', () => {
    const isElsewhere = ({ account, region, detail }: Event) =>
      account !== ACCOUNT || region !== REGION || !Object.hasOwn(WANTED, detail['repository-name']);
    expect(shortest(cases.filter(one => one.sent.length > 0 && (isDenied(one.event) || isElsewhere(one.event))))).toEqual([]);
  });

  test('bring nothing but the wanted image that they name', () => {
    expect(shortest(cases.filter(one => one.arrives?.length && String(one.arrives) !== wantedImage(one.event)))).toEqual([]);
  });

  test('change nothing but two values of a run, in characters that mean nothing to a shell', () => {
    expect(shortest(cases.filter(({ sent }) => sent.some(({ differs }) => differs)))).toEqual([]);
    expect(shortest(cases.filter(({ event: { time }, sent }) => sent.length > 0 && !isTime(time)))).toEqual([]);
    const isPlain = (env: Record<string, string>) => /^[A-Za-z0-9._/:-]*$/.test(`${env.SSM_Pushed ?? ''}${env.SSM_PushedAt ?? ''}`);
    expect(shortest(cases.filter(({ sent }) => !sent.every(({ env }) => isPlain(env))))).toEqual([]);
  });

  test('that match and are nothing for a node are refused in words', () => {
    const silent = cases.filter(({ matched, refused, sent }) => matched && sent.length === 0
      && !/must match|must be an array of strings|takes up to 50 strings of 1 to 512 characters/.test(refused ?? ''));
    expect(shortest(silent)).toEqual([]);
  });
});
