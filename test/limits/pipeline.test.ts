/** The script that pipelines use, by the real AWS CLI, against what an app synthesised. */
import { spawn, spawnSync } from 'node:child_process';
import * as path from 'node:path';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { CommandOutput, CommandTarget } from '../../testbed/aws';
import { SsmApi } from '../../testbed/aws/ssm-api';
import { Deployment } from '../../testbed/deployment';
import { pythonTool } from '../../testbed/engines/cache';
import { newStack, prefetch, REGION } from '../fixture';

const SCRIPT = path.join(__dirname, '..', '..', 'examples', 'monitoring', 'prefetch-and-wait');
const CLI = pythonTool('aws');
const skipped = spawnSync(CLI, ['--version']).status === 0 ? undefined : `there is no AWS CLI at ${CLI}: run testbed/setup.sh --for-tests`;
if (skipped) {
  process.stderr.write(`The script for pipelines is not tested: ${skipped}\n`);
}

jest.setTimeout(120_000);

/** A node whose runs end when and as the test says. */
class ControlledNode implements CommandTarget {
  readonly pushed: string[] = [];
  private end!: (exitCode: number) => void;
  private readonly ended = new Promise<number>(resolve => { this.end = resolve; });

  constructor(readonly name: string, readonly tags: Record<string, string>) {}

  async run(_script: string, env: Record<string, string>): Promise<CommandOutput> {
    this.pushed.push(env.SSM_Pushed);
    return { exitCode: await this.ended, stdout: '', stderr: '', seconds: 0 };
  }

  finish(exitCode = 0): void {
    this.end(exitCode);
  }
}

(skipped ? describe.skip : describe)('prefetch-and-wait', () => {
  const stack = newStack();
  const { prefetcher } = prefetch({}, stack);
  const role = new iam.Role(stack, 'Pipeline', { assumedBy: new iam.ServicePrincipal('codebuild.amazonaws.com') });
  prefetcher.grants.start(role);
  const stranger = new iam.Role(stack, 'Stranger', { assumedBy: new iam.ServicePrincipal('codebuild.amazonaws.com'), managedPolicies: [] });
  const deployment = new Deployment(stack, { matches: () => true });
  const { template } = deployment.plane;
  const nameOf = (part: string) => template.ref(template.resources('AWS::SSM::Document').find(({ logicalId }) => logicalId.includes(part))!.logicalId);
  const arnOf = (construct: iam.Role) => template.attribute(stack.getLogicalId(construct.node.defaultChild as iam.CfnRole), 'Arn');
  let nodes: ControlledNode[];
  let api: SsmApi;

  /** Runs the script beside the test; its output as it comes, and its exit code. */
  async function run(caller: iam.Role, ...args: string[]) {
    api = new SsmApi(deployment.plane, arnOf(caller));
    const endpoint = await api.start();
    const child = spawn(SCRIPT, args, {
      env: {
        PATH: `${path.dirname(CLI)}:${process.env.PATH}`,
        RUNBOOK: nameOf('Runbook'),
        DOCUMENT: nameOf('PrefetcherDocument'),
        SECONDS_BETWEEN: '0.1',
        AWS_ENDPOINT_URL_SSM: endpoint,
        AWS_DEFAULT_REGION: REGION,
        AWS_ACCESS_KEY_ID: 'key',
        AWS_SECRET_ACCESS_KEY: 'secret',
        AWS_EC2_METADATA_DISABLED: 'true',
      },
    });
    let said = '';
    const waiting: (() => void)[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', data => {
        said += data;
        waiting.splice(0).forEach(resume => resume());
      });
    }
    const exited = new Promise<number | null>(resolve => child.on('close', code => {
      waiting.splice(0).forEach(resume => resume());
      resolve(code);
    }));
    const says = async (words: string) => {
      while (!said.includes(words) && child.exitCode === null) {
        await new Promise<void>(resolve => waiting.push(resolve));
      }
      expect(said).toContain(words);
    };
    return { exited, says, all: () => said };
  }

  beforeEach(() => {
    nodes = ['gpu-1', 'gpu-2'].map(name => new ControlledNode(name, deployment.nodegroupTags('Gpu')));
    deployment.fleet.splice(0, Infinity, ...nodes);
  });

  afterEach(async () => {
    nodes.forEach(node => node.finish());
    await api.stop();
  });

  test('waits until every node has the image', async () => {
    const script = await run(role, 'training', 'v7');
    await script.says('0 of 2 nodes have training:v7');
    nodes[0].finish();
    await script.says('1 of 2 nodes have training:v7');
    nodes[1].finish();
    expect([await script.exited, script.all().trim().split('\n').at(-1)]).toEqual([0, '2 of 2 nodes have training:v7']);
    expect(nodes[0].pushed).toEqual(['123456789012.dkr.ecr.us-east-1.amazonaws.com/training:v7']);
  });

  test('goes on when as many nodes as were asked for have it', async () => {
    const script = await run(role, 'training', 'v8', '50');
    await script.says('0 of 2 nodes');
    nodes[0].finish();
    expect([await script.exited, script.all().trim().split('\n').at(-1)]).toEqual([0, '1 of 2 nodes have training:v8']);
  });

  test('fails when too many nodes could not bring it', async () => {
    const script = await run(role, 'training', 'v9', '75');
    await script.says('0 of 2 nodes');
    nodes[0].finish(1);
    nodes[1].finish();
    expect(await script.exited).toBe(1);
    expect(script.all()).toContain('before 75 % of the nodes had training:v9');
  });

  test('is denied to a role that was not granted the start', async () => {
    const script = await run(stranger, 'training', 'v7');
    expect(await script.exited).not.toBe(0);
    expect(script.all()).toContain('is not allowed ssm:StartAutomationExecution');
    expect(nodes[0].pushed).toEqual([]);
  });
});
