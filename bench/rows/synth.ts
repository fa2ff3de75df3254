import { App, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import { CfnCluster } from 'aws-cdk-lib/aws-eks';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import { asSentByCloudFormation } from '../../src/command-document';
import { inTurns } from '../pairs';
import type { Row } from '../row';
import { ImagePrefetcher, ImageSelection, NodeSelection } from 'cdk-eks-image-prefetcher';

const REPOSITORIES = 100;
const NODE_GROUPS = 10;

function synth(prefetched: boolean): void {
  const stack = new Stack(new App({ analyticsReporting: false }), 'Synth');
  const vpc = new ec2.Vpc(stack, 'Vpc');
  const cluster = new eks.Cluster(stack, 'Cluster', {
    vpc, version: eks.KubernetesVersion.V1_33, defaultCapacityType: eks.DefaultCapacityType.NODEGROUP, defaultCapacity: 0,
  });
  const nodegroups = [...Array(NODE_GROUPS).keys()].map(number => cluster.addNodegroupCapacity(`Group${number}`));
  const repositories = [...Array(REPOSITORIES).keys()].map(number => new ecr.Repository(stack, `Repository${number}`, { repositoryName: `team/app-${number}` }));
  if (prefetched) {
    new ImagePrefetcher(stack, 'Prefetcher', { cluster, nodegroups, repositories });
  }
  (stack.node.root as App).synth();
}

/** Synth waits for nothing: the processor's time is its time, whatever else the machine does. */
function processorMs(action: () => void): number {
  const before = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

export const synthTime: Row = {
  name: 'synth',
  what: `what synth takes more with it, ${REPOSITORIES} repositories and ${NODE_GROUPS} node groups`,
  against: '100 ms',
  limit: { ratio: 1 },
  async measure(bed) {
    // Code that runs for the first time is slow in both.
    for (const prefetched of [true, false, true, false]) {
      synth(prefetched);
    }
    const took = await inTurns(Math.max(5, bed.sizes.rounds * 3),
      { name: 'with', run: async () => processorMs(() => synth(true)) },
      { name: 'without', run: async () => processorMs(() => synth(false)) });
    const more = took.with.map((ms, at) => Math.max(0, ms - took.without[at]));
    return { samples: { 'more with it': more, 'allowed': [100], ...took }, unit: 'ms' };
  },
};

export const documentSize: Row = {
  name: 'document-size',
  what: 'document and run-time parameters, 100 images, as CloudFormation sends them (indented)',
  against: '64 KiB, Systems Manager\'s limit',
  limit: { ratio: 0.75 },
  measure() {
    const stack = new Stack(new App({ analyticsReporting: false }), 'Document');
    new ImagePrefetcher(stack, 'Prefetcher', {
      cluster: CfnCluster.fromClusterName(stack, 'Cluster', 'bench'),
      nodes: [NodeSelection.nodegroupNames(['bench'])],
      images: [...Array(100).keys()].map(number => ImageSelection.registry(`123456789012.dkr.ecr.us-east-1.amazonaws.com/team/application-${number}:release-${number}`)),
    });
    const { Resources } = (stack.node.root as App).synth().getStackByName(stack.stackName).template;
    const resources = Object.values(Resources) as { Type: string; Properties: Record<string, any> }[];
    const document = resources.find(({ Type, Properties }) => Type === 'AWS::SSM::Document' && Properties.DocumentType === 'Command')!;
    const association = resources.find(({ Type }) => Type === 'AWS::SSM::Association')!;
    const characters = asSentByCloudFormation(document.Properties.Content).length + JSON.stringify(association.Properties.Parameters).length;
    return { samples: { 'document': [characters], 'Systems Manager\'s limit': [65_536] }, unit: 'characters' };
  },
};
