/**
 * The boot gate on nodes that boot as on EC2: a real systemd is their first process, the real cloud-init takes the user data of
 * the synthesised launch template, then containerd and the kubelet are started as nodeadm does.
 */
import type { Stack } from 'aws-cdk-lib';
import { Duration } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as iam from 'aws-cdk-lib/aws-iam';
import { stack as nodegroupExample } from '../../examples/boot-gate/app';
import { stack as karpenterExample } from '../../examples/boot-gate-karpenter/app';
import { ImagePrefetcher, NodeSelection } from '../../src';
import { Deployment } from '../../testbed/deployment';
import type { GateNode, NodeOptions, PushedImage } from '../../testbed/engines';
import { FaultProxy, missingForGateNodes, Testbed } from '../../testbed/engines';
import { reportLines } from '../../testbed/report';
import { newCluster, newStack } from '../fixture';

const GATE = 'image-prefetcher-boot-gate';
const SHORTEST_WAIT = 30;
/** Far below any bound: nothing was waited for. */
const AT_ONCE = 15_000;

const missing = missingForGateNodes();
if (missing.length > 0) {
  process.stderr.write(`the boot gate is not tested on nodes, because ${missing.join('; ')}\n`);
}

(missing.length > 0 ? describe.skip : describe)('the boot gate', () => {
  let testbed: Testbed;
  let nodes = 0;
  let stacks = 0;

  beforeAll(async () => {
    testbed = await Testbed.start();
  }, 120_000);
  afterAll(() => testbed?.stop(), 120_000);

  async function deploy(stack: Stack): Promise<Deployment> {
    const deployment = new Deployment(stack, { matches: () => false });
    const { template } = deployment.plane;
    for (const { logicalId } of template.resources('AWS::ECR::Repository')) {
      await testbed.ecr.createRepository(template.ref(logicalId));
    }
    await deployment.publishDocuments(testbed.documents);
    await deployment.createLogGroups(testbed.logs);
    return deployment;
  }

  async function push(deployment: Deployment, megabytes = 1): Promise<PushedImage> {
    const { template } = deployment.plane;
    return testbed.push({ repository: template.ref(template.resources('AWS::ECR::Repository')[0].logicalId), tag: 'v1', megabytes });
  }

  /** A stack with one gated node group, for one repository; `also` is a script of the user's own that runs after the gate's. */
  function deployGated(maxWait?: Duration, also?: string): Promise<Deployment> {
    const stack = newStack(`Gated${++stacks}`);
    const cluster = newCluster(stack);
    const nodeRole = new iam.Role(stack, 'NodeRole', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
    const repository = new ecr.Repository(stack, 'Repository');
    const prefetcher = new ImagePrefetcher(stack, 'Prefetcher', {
      cluster, nodes: [NodeSelection.nodegroupNames(['gpu'], { nodeRole })], repositories: [repository],
    });
    const userData = new ec2.MultipartUserData();
    prefetcher.addBootGate(userData, { maxWait });
    if (also) {
      userData.addPart(ec2.MultipartBody.fromUserData(ec2.UserData.custom(`#!/bin/sh\n${also}\n`)));
    }
    const launchTemplate = new ec2.LaunchTemplate(stack, 'LaunchTemplate', { userData });
    cluster.addNodegroupCapacity('Gpu', {
      nodegroupName: 'gpu', nodeRole, launchTemplateSpec: { id: launchTemplate.launchTemplateId!, version: launchTemplate.latestVersionNumber },
    });
    return deploy(stack);
  }

  async function boot(deployment: Deployment, options: NodeOptions = {}): Promise<GateNode> {
    const node = await testbed.addGateNode(`gated-${++nodes}`, deployment.nodegroupTags('Gpu'), deployment.userData('Gpu'), options);
    deployment.fleet.push(node);
    return node;
  }

  /** How long the gate held the kubelet back. */
  async function waited(node: GateNode): Promise<number> {
    const { processStarted, processEnded } = await node.service(GATE);
    return processEnded - processStarted;
  }

  /** Has Systems Manager run on that node, and gives what is in the log group then: of that run, and of the gate, whoever sent it. */
  async function summaries(deployment: Deployment, node: GateNode): Promise<{ run: Record<string, any>; gate: Record<string, any> }> {
    await deployment.plane.nodeOnline(node);
    const lines = await reportLines(deployment, testbed.logs);
    const all = lines.filter(({ stream }) => stream === node.instanceId).flatMap(({ line }) => line.summary ?? []);
    const gates = all.filter(({ moment }) => moment === 'gate');
    expect(gates).toHaveLength(1);
    return { run: all.filter(({ moment }) => moment !== 'gate').pop(), gate: gates[0] };
  }

  describe('on a new node', () => {
    let deployment: Deployment;
    let pushed: PushedImage;
    let node: GateNode;

    beforeAll(async () => {
      deployment = await deploy(nodegroupExample);
      pushed = await push(deployment, 200);
      node = await boot(deployment);
    }, 120_000);

    test('cloud-init takes the user data: no errors, the script is run as it is, the NodeConfig part is left to nodeadm', async () => {
      expect(JSON.parse(await read(node, '/run/cloud-init/result.json')).v1.errors).toEqual([]);
      expect((await node.exec(['cloud-init', 'status'])).stdout).toContain('status: done');
      const [, script] = deployment.userData('Gpu').split(/^--.*\nContent-Type: text\/x-shellscript.*\n\n/m);
      const ran = await read(node, '/var/lib/cloud/instance/scripts/part-001');
      expect(ran.length).toBeGreaterThan(1000);
      expect(script.startsWith(ran)).toBe(true);
      const warnings = (await read(node, '/var/log/cloud-init.log')).split('\n').filter(line => /\[(WARNING|ERROR|CRITICAL)\]/.test(line));
      // The second one cloud-init 22 gives to all user data without a cloud-config part.
      expect(warnings).toEqual([
        expect.stringContaining('Unhandled unknown content-type (application/node.eks.aws)'),
        expect.stringContaining('Invalid cloud-config provided'),
      ]);
    });

    test('the kubelet starts after the pull, and finds the image there and pinned', async () => {
      expect((await node.service('kubelet')).processStarted).toBeGreaterThanOrEqual((await node.service(GATE)).processEnded);
      const image = node.imagesAtKubeletStart().find(({ repoTags }) => repoTags.includes(pushed.reference));
      expect(image).toMatchObject({ pinned: true, repoDigests: [pushed.digestReference] });
    });

    test('the very first pod starts without a pull', async () => {
      expect(await node.startPod(pushed.reference, { pull: false })).toMatchObject({ pulled: false });
    });

    test('the journal says what was pulled, and no credential', async () => {
      const journal = await node.journal(GATE);
      expect(journal).toContain(`"image":"${pushed.reference}","outcome":"pulled"`);
      expect(journal).not.toContain('the kubelet starts without them');
      const { password } = testbed.ecr.credentials;
      const everything = (await node.exec(['journalctl', '--no-pager', '--output=export'])).stdout;
      expect(everything).not.toContain(password);
      expect(everything).not.toContain(Buffer.from(`AWS:${password}`).toString('base64').replace(/=+$/, ''));
    });

    test('the gate reports to the log group, once', async () => {
      for (const _ of ['first run', 'second run']) {
        expect(await summaries(deployment, node)).toMatchObject({
          run: { moment: 'reconcile', present: 1 }, gate: { moment: 'gate', instance: node.instanceId, wanted: 1, pulled: 1 },
        });
      }
    });

    test('a later restart of the kubelet does not wait again', async () => {
      const before = { gate: await node.service(GATE), kubelet: await node.service('kubelet') };
      testbed.registry.stall();
      const began = Date.now();
      await node.restartKubelet().finally(() => testbed.registry.resume());
      expect(Date.now() - began).toBeLessThan(AT_ONCE);
      expect(await node.service(GATE)).toEqual(before.gate);
      expect((await node.service('kubelet')).processStarted).toBeGreaterThan(before.kubelet.processStarted);
    });
  });

  test('a node of a Karpenter node pool starts its kubelet after the pull too', async () => {
    const deployment = await deploy(karpenterExample);
    const pushed = await push(deployment);
    const [{ properties }] = deployment.plane.template.resources('Custom::AWSCDK-EKS-KubernetesResource');
    const [{ spec }] = JSON.parse(properties.Manifest);
    const node = await testbed.addGateNode('karpenter', { 'eks:eks-cluster-name': 'production', 'karpenter.sh/nodepool': 'gpu' }, spec.userData);
    deployment.fleet.push(node);
    expect(node.imagesAtKubeletStart().flatMap(({ repoTags }) => repoTags)).toContain(pushed.reference);
    expect(await summaries(deployment, node)).toMatchObject({ run: { present: 1 }, gate: { pulled: 1 } });
  }, 120_000);

  test('Systems Manager and ECR are reached by the proxy that only the kubelet has', async () => {
    const proxy = new FaultProxy(testbed.workspace, { url: testbed.moto.endpoint });
    await proxy.start();
    // As nodeadm writes `instance.environment.systemd-kubelet`.
    const deployment = await deployGated(undefined, `
      mkdir -p /etc/systemd/system/kubelet.service.d
      printf '[Service]\\nEnvironment="http_proxy=${proxy.url}"\\n' >/etc/systemd/system/kubelet.service.d/environment.conf
      systemctl daemon-reload`);
    const pushed = await push(deployment);
    const node = await boot(deployment, { aws: { ...testbed.moto.environment, AWS_ENDPOINT_URL: 'http://aws.only-the-proxy.example' } });
    expect(node.imagesAtKubeletStart().flatMap(({ repoTags }) => repoTags)).toContain(pushed.reference);
    expect(proxy.requests.length).toBeGreaterThan(0);
  }, 120_000);

  describe('at its bound', () => {
    const maxWait = Duration.seconds(SHORTEST_WAIT);
    let registryHangs: { deployment: Deployment; node: GateNode; pushed: PushedImage };
    let awsHangs: { deployment: Deployment; node: GateNode };

    // Side by side, because both wait.
    beforeAll(async () => {
      const deployments = [await deployGated(maxWait), await deployGated(maxWait)];
      const pushed = await push(deployments[0]);
      const proxy = new FaultProxy(testbed.workspace, { url: testbed.moto.endpoint });
      proxy.fault = () => ({ kind: 'stall' });
      await proxy.start();
      testbed.registry.stall();
      const [first, second] = await Promise.all([
        boot(deployments[0]),
        boot(deployments[1], { aws: { ...testbed.moto.environment, AWS_ENDPOINT_URL: proxy.url } }),
      ]).finally(() => testbed.registry.resume());
      registryHangs = { deployment: deployments[0], node: first, pushed };
      awsHangs = { deployment: deployments[1], node: second };
    }, 180_000);

    test('the kubelet starts when the registry hangs', async () => {
      const { node, pushed } = registryHangs;
      expect(await waited(node)).toBeGreaterThan(0.5 * SHORTEST_WAIT * 1000);
      expect(await waited(node)).toBeLessThan((SHORTEST_WAIT + 7) * 1000);
      expect(await node.service('kubelet')).toMatchObject({ state: 'active' });
      expect(node.imagesAtKubeletStart().flatMap(({ repoTags }) => repoTags)).not.toContain(pushed.reference);
    });

    test('the journal and the next report say which image is missing', async () => {
      const { deployment, node, pushed } = registryHangs;
      const journal = await node.journal(GATE);
      expect(journal).toContain(`"image":"${pushed.reference}","outcome":"failed"`);
      expect(journal).toContain('images are missing, the kubelet starts without them');
      expect(await summaries(deployment, node)).toMatchObject({ run: { pulled: 1 }, gate: { timedOut: true, wanted: 1, pulled: 0, failed: 1 } });
    });

    test('the kubelet starts when Systems Manager hangs', async () => {
      const { node } = awsHangs;
      expect(await waited(node)).toBeGreaterThan(0.5 * SHORTEST_WAIT * 1000);
      expect(await waited(node)).toBeLessThan((SHORTEST_WAIT + 7) * 1000);
      expect(await node.service('kubelet')).toMatchObject({ state: 'active' });
      expect(await node.journal(GATE)).toMatch(/the boot gate failed: cannot fetch the SSM document .*timed out[^]*exit code 1: images are missing, the kubelet starts without them/);
      expect(node.processes().filter(({ argv }) => argv.join(' ').includes('boot_gate.py'))).toEqual([]);
      expect(JSON.parse(await read(node, '/run/cdk-eks-image-prefetcher/gate.json'))).toMatchObject({ outcome: 'failed', error: expect.stringContaining('timed out') });
    });
  });

  describe('the kubelet starts at once when', () => {
    async function bootsAtOnce(deployment: Deployment): Promise<{ node: GateNode; journal: string }> {
      const node = await boot(deployment);
      expect(await waited(node)).toBeLessThan(AT_ONCE);
      expect(await node.service('kubelet')).toMatchObject({ state: 'active' });
      const journal = await node.journal(GATE);
      expect(journal).toContain('images are missing, the kubelet starts without them');
      return { node, journal };
    }

    async function replaceDocument(deployment: Deployment, change: (content: any) => object | undefined): Promise<void> {
      const { template } = deployment.plane;
      const [{ logicalId, properties }] = template.resources('AWS::SSM::Document').filter(document => document.properties.DocumentType === 'Command');
      await testbed.documents.delete(template.ref(logicalId));
      const content = change(properties.Content);
      if (content) {
        await testbed.documents.create(template.ref(logicalId), content);
      }
    }

    test('the document is missing', async () => {
      const deployment = await deployGated();
      await replaceDocument(deployment, () => undefined);
      const { node, journal } = await bootsAtOnce(deployment);
      expect(journal).toMatch(/the boot gate failed: cannot fetch the SSM document Gated\d+-\S+: .*does not exist/s);
      expect(await summaries(deployment, node)).toMatchObject({ gate: { outcome: 'failed', error: expect.stringContaining('cannot fetch the SSM document') } });
    }, 120_000);

    test('the document is another one', async () => {
      const deployment = await deployGated();
      await replaceDocument(deployment, () => ({ schemaVersion: '2.2', description: 'other', mainSteps: [] }));
      const { node, journal } = await bootsAtOnce(deployment);
      expect(journal).toContain("the boot gate failed: 'parameters'");
      expect(await summaries(deployment, node)).toMatchObject({ gate: { outcome: 'failed' } });
    }, 120_000);

    test('the program in the document is broken', async () => {
      const deployment = await deployGated();
      await replaceDocument(deployment, content => JSON.parse(JSON.stringify(content).replace('import base64, bz2', 'import base64, bz2 oops')));
      const { node, journal } = await bootsAtOnce(deployment);
      expect(journal).toContain('SyntaxError');
      expect(await summaries(deployment, node)).toMatchObject({ gate: { outcome: 'interrupted' } });
    }, 120_000);

    test('the program of the gate is missing', async () => {
      const { journal } = await bootsAtOnce(await deployGated(undefined, 'rm /usr/local/lib/cdk-eks-image-prefetcher/boot_gate.py'));
      expect(journal).toContain('No such file');
    }, 120_000);

    test('Python is missing', async () => {
      const { journal } = await bootsAtOnce(await deployGated(undefined, 'rm /usr/bin/python3'));
      expect(journal).toContain('exit code 127');
    }, 120_000);

    test('curl is missing', async () => {
      const deployment = await deployGated(undefined, 'rm /usr/bin/curl');
      const { node, journal } = await bootsAtOnce(deployment);
      expect(journal).toContain('the boot gate failed: curl is not on this node');
      expect(JSON.parse(await read(node, '/run/cdk-eks-image-prefetcher/gate.json'))).toMatchObject({ outcome: 'failed', error: 'curl is not on this node' });
    }, 120_000);
  });
});

async function read(node: GateNode, file: string): Promise<string> {
  return (await node.exec(['cat', file])).stdout;
}
