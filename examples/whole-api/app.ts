// Everything that the library offers, in one stack; examples/python and examples/java are the same app in their languages.
import { join } from 'node:path';
import { App, Duration, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import { DockerImageAsset } from 'aws-cdk-lib/aws-ecr-assets';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { ImagePrefetcher, ImageSelection, NodeLimit, NodeSelection } from 'cdk-eks-image-prefetcher';

export const app = new App();
const stack = new Stack(app, 'WholeApi');

const cluster = new eks.Cluster(stack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
  defaultCapacity: 0,
});
const gpuNodes = cluster.addNodegroupCapacity('Gpu', { amiType: eks.NodegroupAmiType.AL2023_X86_64_NVIDIA });
const nodeRole = new iam.Role(stack, 'NodeRole', {
  assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com'),
  managedPolicies: [
    iam.ManagedPolicy.fromAwsManagedPolicyName('AmazonEKSWorkerNodePolicy'),
    iam.ManagedPolicy.fromAwsManagedPolicyName('AmazonEKS_CNI_Policy'),
    iam.ManagedPolicy.fromAwsManagedPolicyName('AmazonEC2ContainerRegistryPullOnly'),
  ],
});
const training = new ecr.Repository(stack, 'Training');
const inference = new ecr.Repository(stack, 'Inference');

const prefetcher = new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  nodegroups: [gpuNodes],
  nodes: [
    NodeSelection.nodegroupNames(['batch', 'reports'], { nodeRole }),
    NodeSelection.karpenterNodePools(['gpu'], { nodeRole }),
    NodeSelection.tags({ team: ['ml'], stage: ['prod', 'beta'] }, { nodeRole }),
  ],
  images: [
    ImageSelection.repository(training, { keep: 3, tags: { include: ['v*', 'stable'], exclude: ['*-rc'] } }),
    ImageSelection.tag(inference, 'prod'),
    ImageSelection.digest(inference, 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'),
    ImageSelection.registry('public.ecr.aws/eks-distro/kubernetes/pause:3.10'),
    ImageSelection.pullThroughCache('docker-hub/library/redis', '7'),
    ImageSelection.dockerImageAsset(new DockerImageAsset(stack, 'Sidecar', { directory: join(__dirname, 'sidecar') })),
    ImageSelection.manifests({ kind: 'Pod', spec: { containers: [{ name: 'app', image: 'quay.io/prometheus/node-exporter:v1.8.2' }] } }),
  ],
  maxConcurrency: NodeLimit.nodes(100),
  maxErrors: NodeLimit.percent(10),
  reconcileEvery: Duration.hours(1),
  timeout: Duration.minutes(20),
  parallelPulls: 4,
  pinImages: true,
  maxDiskUsage: 70,
  prefetchOnPush: true,
  reconcile: true,
  logGroup: new logs.LogGroup(stack, 'Reports', { retention: logs.RetentionDays.THREE_MONTHS }),
  deadLetterQueue: new sqs.Queue(stack, 'LostPushes', { enforceSSL: true }),
});

const userData = new ec2.MultipartUserData();
prefetcher.addBootGate(userData, { maxWait: Duration.minutes(3), fastImagePull: true });
new ec2.LaunchTemplate(stack, 'LaunchTemplate', { userData });

const failedRuns = new sqs.Queue(stack, 'FailedRuns', { enforceSSL: true });
prefetcher.addAlarms({ topic: new sns.Topic(stack, 'OnCall', { enforceSSL: true }), minNodes: 3 });
prefetcher.addDashboard();
prefetcher.onRunFailed('RunFailed', { target: new SqsQueue(failedRuns) });
prefetcher.metricPushToCachedSeconds({ period: Duration.hours(1) }).createAlarm(stack, 'SlowPush', { threshold: 600, evaluationPeriods: 1 });
prefetcher.grants.start(new iam.Role(stack, 'Pipeline', { assumedBy: new iam.ServicePrincipal('codebuild.amazonaws.com') }));
