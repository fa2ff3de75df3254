// How fast, how often, how far: rates, error budget, timeouts, disk, and the switches of the two moments.
import { App, Duration, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { ImagePrefetcher, NodeLimit } from 'cdk-eks-image-prefetcher';

export const app = new App({ context: { '@aws-cdk/aws-eks:defaultToAL2023': true } });
const stack = new Stack(app, 'Control');

const cluster = new eks.Cluster(stack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
});
const nodegroups = [cluster.defaultNodegroup!];

// A thousand nodes behind one NAT gateway: ten at a time, one image at a time.
new ImagePrefetcher(stack, 'Gentle', {
  cluster,
  nodegroups,
  repositories: [new ecr.Repository(stack, 'Training')],
  maxConcurrency: NodeLimit.nodes(10),
  maxErrors: NodeLimit.percent(5),
  parallelPulls: 1,
  timeout: Duration.hours(2),
  reconcileEvery: Duration.hours(6),
  logGroup: new LogGroup(stack, 'LogGroup', { retention: RetentionDays.THREE_MONTHS }),
  maxDiskUsage: 60,
});

// Built a hundred times a day: the nodes get what is newest when they join, not every push.
new ImagePrefetcher(stack, 'OnlyOnJoin', {
  cluster,
  nodegroups,
  repositories: [new ecr.Repository(stack, 'Nightly')],
  prefetchOnPush: false,
});

// Needed for an hour after it was pushed: not worth a place on every new node, nor a pin.
new ImagePrefetcher(stack, 'OnlyOnPush', {
  cluster,
  nodegroups,
  repositories: [new ecr.Repository(stack, 'Preview')],
  reconcile: false,
  pinImages: false,
});
