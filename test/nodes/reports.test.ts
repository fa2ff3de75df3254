/** What the nodes report is in the prefetcher's log group, a stream an instance. */
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Bed, onRealNodes, pushRun, repository } from './real-nodes';
import { ImagePrefetcher, NodeSelection } from '../../src';
import { Deployment } from '../../testbed/deployment';
import { missingForGateNodes } from '../../testbed/engines';
import { ReportLine, reportLines } from '../../testbed/report';
import { newCluster } from '../fixture';

jest.setTimeout(240_000);

const missing = missingForGateNodes();
if (missing.length > 0) process.stderr.write(`what nodes report is not tested, because ${missing.join('; ')}\n`);

(missing.length > 0 ? (name: string, _tests: (bed: Bed) => void) => describe.skip(name, () => test('is not tested', () => undefined)) : onRealNodes)(
  'the log group', bed => {
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
      for (const { line } of lines) expect(line.owner ?? line.summary.owner).toBeTruthy();
      expect(lines.map(({ timestamp }) => timestamp).filter(timestamp => Math.abs(Date.now() - timestamp) > 3_600_000)).toEqual([]);
    });
  });
