import * as fs from 'node:fs';
import { App, CfnOutput, CfnParameter, Duration, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { CloudAssembly } from 'aws-cdk-lib/cx-api';
import * as fc from 'fast-check';
import { brokenLimits } from './aws-limits';
import { cfnLint, whyNoCfnLint } from './cfn-lint';
import { nagFindings, unexplained } from './nag-findings';
import type { NodeSelectionOptions, TagFilter } from '../../src';
import { ImagePrefetcher, ImageSelection, NodeLimit, NodeSelection } from '../../src';
import { ACCOUNT, REGION } from '../../testbed/place';

const SEED = Number(process.env.PROP_MATRIX_SEED ?? Date.now() % 2 ** 31);
const APPS = 30;

const noLint = whyNoCfnLint();
if (noLint) {
  process.stderr.write(`The matrix of props is not linted: ${noLint}\n`);
}

/** Everything that is chosen for one app, as plain values that a failure can show. */
const choice = fc.record({
  environment: fc.constantFrom('none', REGION, 'cn-north-1', 'us-gov-west-1'),
  stackName: fc.constantFrom('Stack', `Platform-${'x'.repeat(50)}`),
  cluster: fc.constantFrom('by name', 'of the stack', 'by parameter'),
  nodes: fc.subarray(['names', 'tokens', 'cluster', 'one tag', 'karpenter', 'tags'], { minLength: 1 }),
  nodegroups: fc.constantFrom(1, 7, 60, 260),
  repositories: fc.constantFrom(0, 1, 40, 300),
  namesAre: fc.constantFrom('short', 'long', 'generated', 'of another account'),
  tags: fc.constantFrom<(TagFilter | undefined)[]>(undefined, { include: ['v*'] }, { exclude: ['*-rc'] }, { include: ['v*-prod', 'latest'], exclude: ['v0*', '*-rc'] }, { exclude: ['dev', '*-a', 'b*c'] }),
  fixed: fc.constantFrom(1, 12, 120),
  pullThrough: fc.boolean(),
  eventBus: fc.boolean(),
  role: fc.boolean(),
  maxConcurrency: fc.constantFrom(undefined, NodeLimit.nodes(1), NodeLimit.nodes(20), NodeLimit.percent(100)),
  maxErrors: fc.constantFrom(undefined, NodeLimit.nodes(0), NodeLimit.percent(10)),
  reconcileMinutes: fc.constantFrom(undefined, 30, 60 * 24 * 31),
  timeoutSeconds: fc.constantFrom(undefined, 60, 172_800),
  parallelPulls: fc.constantFrom(undefined, 1, 16),
  moments: fc.constantFrom('both', 'push', 'join'),
});
type Choice = typeof choice extends fc.Arbitrary<infer T> ? T : never;

const range = (length: number) => [...Array(length).keys()];

function synthesise(chosen: Choice): App {
  const app = new App();
  const stack = new Stack(app, 'Stack', {
    stackName: chosen.stackName,
    env: chosen.environment === 'none' ? undefined : { account: ACCOUNT, region: chosen.environment },
  });
  const account = chosen.namesAre === 'of another account' ? '210987654321' : undefined;
  new ImagePrefetcher(stack, 'Prefetcher', {
    cluster: clusterOf(stack, chosen),
    nodes: nodesOf(stack, chosen),
    images: [
      ...range(chosen.fixed).map(index => ImageSelection.tag(repositoryOf(stack, `fixed/${index % 5}`, account), `v${index}`)),
      ImageSelection.registry(`quay.io/org/app@sha256:${'a'.repeat(64)}`),
      ...chosen.pullThrough ? [ImageSelection.pullThroughCache('docker-hub/library/postgres', '17')] : [],
      ...range(chosen.repositories).map(index => anyRepository(stack, index, chosen.namesAre, account))
        .map(repository => ImageSelection.repository(repository, { keep: 2, tags: chosen.tags })),
    ],
    // With pushes only, and these from afar, nothing would ever run.
    eventBus: chosen.eventBus || chosen.moments === 'push' ? new events.EventBus(stack, 'Bus') : undefined,
    maxConcurrency: chosen.maxConcurrency,
    maxErrors: chosen.maxErrors,
    reconcileEvery: chosen.reconcileMinutes === undefined ? undefined : Duration.minutes(chosen.reconcileMinutes),
    timeout: chosen.timeoutSeconds === undefined ? undefined : Duration.seconds(chosen.timeoutSeconds),
    parallelPulls: chosen.parallelPulls,
    prefetchOnPush: chosen.moments !== 'join',
    reconcile: chosen.moments !== 'push',
  });
  return app;
}

function clusterOf(stack: Stack, { cluster }: Choice) {
  switch (cluster) {
    case 'of the stack': return new eks.CfnCluster(stack, 'Cluster', {
      roleArn: `arn:aws:iam::${ACCOUNT}:role/cluster`,
      resourcesVpcConfig: { subnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'], endpointPrivateAccess: true, endpointPublicAccess: false },
    });
    case 'by parameter': return eks.CfnCluster.fromClusterName(stack, 'Cluster', parameter(stack, 'ClusterName', 'production'));
    default: return eks.CfnCluster.fromClusterName(stack, 'Cluster', 'production');
  }
}

function nodesOf(stack: Stack, chosen: Choice): NodeSelection[] {
  const nodeRole = chosen.role ? new iam.Role(stack, 'NodeRole', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') }) : undefined;
  return chosen.nodes.map(kind => nodesOfKind(stack, kind, chosen.nodegroups, { nodeRole }));
}

function nodesOfKind(stack: Stack, kind: string, count: number, options: NodeSelectionOptions): NodeSelection {
  switch (kind) {
    case 'names': return NodeSelection.nodegroupNames(range(count).map(index => `nodegroup-${index}-${'n'.repeat(45)}`), options);
    case 'tokens': return NodeSelection.nodegroupNames(range(Math.min(count, 60)).map(index =>
      parameter(stack, `Nodegroup${index}`, `nodegroup-of-parameter-${index}`)), options);
    case 'cluster': return NodeSelection.cluster(options);
    case 'karpenter': return NodeSelection.karpenterNodePools(['gpu', 'spot'], options);
    case 'tags': return NodeSelection.tags({ team: range(50).map(index => `team-${index}`), stage: ['production'], zone: ['a', 'b'], kind: ['node'], size: ['large'] }, options);
    default: return NodeSelection.tags({ fleet: ['batch'] }, options);
  }
}

/** A parameter that the app itself uses: a prefetcher need not, where the whole cluster or other tags are selected too. */
function parameter(stack: Stack, id: string, value: string): string {
  const { valueAsString } = new CfnParameter(stack, id, { default: value });
  new CfnOutput(stack, `${id}Output`, { value: valueAsString });
  return valueAsString;
}

function anyRepository(stack: Stack, index: number, namesAre: string, account?: string): ecr.IRepository {
  if (namesAre === 'generated') {
    return new ecr.Repository(stack, `Repository${index}`, { imageScanOnPush: true });
  }
  return repositoryOf(stack, `team-${index}/${namesAre === 'long' ? 'a-service-with-a-long-name/'.repeat(2) : ''}app`, account);
}

function repositoryOf(stack: Stack, name: string, account?: string): ecr.IRepository {
  const id = `Repository ${name.replace(/\//g, ' ')}`;
  return stack.node.tryFindChild(id) as ecr.IRepository ?? (account
    ? ecr.Repository.fromRepositoryAttributes(stack, id, {
      repositoryName: name,
      repositoryArn: stack.formatArn({ service: 'ecr', account, resource: 'repository', resourceName: name }),
    })
    : ecr.Repository.fromRepositoryName(stack, id, name));
}

/** What is too large is refused at synth, in words. */
const REFUSAL = /the list of wanted images of 'Stack\/Prefetcher' must fit into an SSM document|an event bus takes 30 rules with wildcards/;
const refused: { chosen: Choice; message: string }[] = [];
const drawn: { chosen: Choice; assembly: CloudAssembly; findings: ReturnType<typeof nagFindings> }[] = [];

beforeAll(() => {
  process.stdout.write(`PROP_MATRIX_SEED=${SEED}\n`);
  for (const chosen of fc.sample(choice, { seed: SEED, numRuns: APPS })) {
    try {
      const app = synthesise(chosen);
      drawn.push({ chosen, assembly: app.synth(), findings: nagFindings(app) });
    } catch (error) {
      refused.push({ chosen, message: String(error) });
    }
  }
}, 300_000);

afterAll(() => {
  for (const { assembly } of drawn) {
    fs.rmSync(assembly.directory, { recursive: true });
  }
});

test('what is chosen is refused only where it is too large', () => {
  process.stdout.write(`${drawn.length} apps, ${refused.length} refused\n`);
  expect(refused.filter(({ message }) => !REFUSAL.test(message))).toEqual([]);
  expect(drawn.length).toBeGreaterThan(APPS / 2);
});

test('whatever is chosen stays within the limits of AWS', () => {
  const broken = drawn.map(({ chosen, assembly }) => ({
    chosen,
    broken: brokenLimits(assembly.getStackArtifact('Stack').template, {
      account: ACCOUNT, region: chosen.environment === 'none' ? REGION : chosen.environment, stackName: chosen.stackName,
    }),
  }));
  expect(broken.filter(one => one.broken.length > 0)).toEqual([]);
});

test('whatever is chosen leaves cdk-nag no finding without a reason', () => {
  expect(drawn.map(({ chosen, findings }) => ({ chosen, open: unexplained(findings) })).filter(({ open }) => open.length > 0)).toEqual([]);
});

(noLint ? test.skip : test)('whatever is chosen, cfn-lint finds nothing', () => {
  expect(cfnLint(drawn.map(({ assembly }) => assembly.getStackArtifact('Stack').templateFullPath))).toEqual([]);
}, 300_000);
