/** What the nodes report is in the prefetcher's log group, a stream an instance. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { onRealNodes, pushRun, repository } from './real-nodes';
import { ImagePrefetcher, NodeSelection } from '../../src';
import { runQuery } from '../../testbed/aws/logs-insights';
import { publishedMetrics } from '../../testbed/aws/metric-filters';
import type { Deployment } from '../../testbed/deployment';
import { missingForGateNodes } from '../../testbed/engines';
import type { ReportLine } from '../../testbed/report';
import { reportLines } from '../../testbed/report';
import { newCluster } from '../fixture';

jest.setTimeout(240_000);

/** The fields in the tables of docs/monitoring.md. */
const [image = [], run = []] = fs.readFileSync(path.join(__dirname, '..', '..', 'docs', 'monitoring.md'), 'utf8').split('| field | meaning |').slice(1)
  .map(table => table.split('\n\n')[0].split('\n').flatMap(row => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, field]) => field)));
const DOCUMENTED = { image, run };

const fieldsOf = (lines: object[]) => [...new Set(lines.flatMap(line => Object.keys(line)))];

/** What the metric filters of the template make of three pulls, of which one was of a push and one at the gate. */
function expectMetrics({ plane }: Deployment, lines: ReportLine[]): void {
  const points = publishedMetrics(plane.template, lines[0].group, lines);
  const values = (name: string) => points.filter(point => point.name === name).map(({ value }) => value);
  expect(new Set(points.map(({ dimensions }) => JSON.stringify(dimensions))).size).toBe(1);
  expect(values('Pulls')).toEqual([1, 1, 1]);
  expect(values('PulledBytes').every(bytes => bytes > 1_000_000)).toBe(true);
  expect([values('PullSeconds').length, values('PushToCachedSeconds').length, values('GateWaitSeconds').length]).toEqual([3, 1, 1]);
  expect([values('Failures'), values('Refusals'), values('GateTimeouts')]).toEqual([[], [], []]);
  expect(values('Reports')).toEqual([1, 1, 1, 1]);
}

/** What the saved queries of the template answer. */
function expectAnswers({ plane }: Deployment, lines: ReportLine[], { gated, late, second }: { gated: string; late: string; second: string }): void {
  const ask = (name: string) => {
    const saved = plane.template.resources('AWS::Logs::QueryDefinition').find(({ properties }) => properties.Name.endsWith(`/${name}`))!;
    return runQuery(saved.properties.QueryString, lines);
  };
  const nodes = ask('which-node-has-which-image').filter(row => row.image === second).map(row => row['@logStream']);
  expect(nodes.sort()).toEqual([gated, late].sort());
  expect(ask('slowest-pulls')).toHaveLength(3);
  expect(ask('failures-by-reason')).toEqual([]);
  expect(ask('what-a-push-did')).toEqual([expect.objectContaining({ '@logStream': gated, 'outcome': 'pulled', 'pushToCachedSeconds': expect.any(Number) })]);
  expect(ask('what-boot-gates-waited-for')).toEqual([
    expect.objectContaining({ '@logStream': gated, 'outcome': 'pulled' }), expect.objectContaining({ '@logStream': gated, 'waited': expect.any(Number) }),
  ]);
}

onRealNodes('the log group', bed => {
  /** A prefetcher for a node group whose launch template has the boot gate. */
  async function deployGated(name: string): Promise<Deployment> {
    const stack = bed.newStack();
    const cluster = newCluster(stack);
    const nodeRole = new iam.Role(stack, 'NodeRole', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
    const prefetcher = new ImagePrefetcher(stack, 'Prefetcher', {
      cluster, nodes: [NodeSelection.nodegroupNames(['gpu'], { nodeRole })], repositories: [repository(stack, name)],
    });
    const userData = new ec2.MultipartUserData();
    prefetcher.addBootGate(userData);
    const launchTemplate = new ec2.LaunchTemplate(stack, 'LaunchTemplate', { userData });
    cluster.addNodegroupCapacity('Gpu', {
      nodegroupName: 'gpu', nodeRole, launchTemplateSpec: { id: launchTemplate.launchTemplateId!, version: launchTemplate.latestVersionNumber },
    });
    const deployment = await bed.deploy(stack);
    await deployment.publishDocuments(bed.testbed.documents);
    return deployment;
  }

  const said = (lines: ReportLine[], stream: string) => lines.filter(line => line.stream === stream)
    .map(({ line }) => line.summary ? `${line.summary.moment} ran` : `${line.outcome} ${line.image}`);

  test('has the reports of boot gate, joining and push in one stream an instance', async () => {
    const deployment = await deployGated('reported');
    const [host, first] = [bed.testbed.ecr.registryHost, await bed.push('reported', 'v1')];
    const gated = await bed.addGateNode(deployment);
    await deployment.plane.nodeOnline(gated);
    const second = await bed.push('reported', 'v2');
    expect(await pushRun(deployment, second)).toMatchObject({ status: 'Success' });
    const late = await bed.addNode(deployment);
    await deployment.plane.nodeOnline(late);

    const lines = await reportLines(deployment, bed.testbed.logs);
    expect(new Set(lines.map(({ stream }) => stream))).toEqual(new Set([gated.instanceId, late.instanceId]));
    expect(said(lines, gated.instanceId)).toEqual([
      `pulled ${first.reference}`, 'gate ran', 'reconcile ran', expect.stringMatching(`^pulled ${host}/reported:v2`), 'push ran',
    ]);
    expect(said(lines, late.instanceId)).toEqual([`pulled ${second.reference}`, 'reconcile ran']);
    // A query needs to know whose line it is.
    for (const { line } of lines) {
      expect(line.owner ?? line.summary.owner).toBeTruthy();
    }
    expect(lines.map(({ timestamp }) => timestamp).filter(timestamp => Math.abs(Date.now() - timestamp) > 3_600_000)).toEqual([]);

    expectMetrics(deployment, lines);
    expectAnswers(deployment, lines, { gated: gated.instanceId, late: late.instanceId, second: second.reference });
    expect(fieldsOf(lines.flatMap(({ line }) => line.summary ?? [])).filter(field => !DOCUMENTED.run.includes(field))).toEqual([]);
    expect(fieldsOf(lines.filter(({ line }) => line.image).map(({ line }) => line)).filter(field => !DOCUMENTED.image.includes(field))).toEqual([]);
  });
}, missingForGateNodes());
