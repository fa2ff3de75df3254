// One repository, one managed node group: every pushed image goes to its nodes, and new nodes get the newest one.
import { App, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import { ImagePrefetcher } from 'cdk-eks-image-prefetcher';

export const app = new App();
const stack = new Stack(app, 'Smallest');

const cluster = new eks.Cluster(stack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  // Auto Mode, the default, runs no SSM agent.
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
  defaultCapacity: 0,
});
const gpuNodes = cluster.addNodegroupCapacity('GpuNodes', {
  instanceTypes: [new ec2.InstanceType('g6.xlarge')],
  amiType: eks.NodegroupAmiType.AL2023_X86_64_NVIDIA,
});
const trainingRepo = new ecr.Repository(stack, 'Training');

new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  nodegroups: [gpuNodes],
  repositories: [trainingRepo],
});
