// Everything that the library offers, in one stack; examples/python and examples/java are the same app in their languages.
import { join } from 'node:path';
import { App, Duration, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import { DockerImageAsset } from 'aws-cdk-lib/aws-ecr-assets';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { ImagePrefetcher, ImageSelection, NodeSelection } from 'cdk-eks-image-prefetcher';

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
  ],
  reconcileEvery: Duration.hours(1),
  timeout: Duration.minutes(20),
  parallelPulls: 4,
  pinImages: true,
  maxDiskUsage: 70,
});

const userData = new ec2.MultipartUserData();
prefetcher.addBootGate(userData, { maxWait: Duration.minutes(3), fastImagePull: true });
new ec2.LaunchTemplate(stack, 'LaunchTemplate', { userData });
