// The nodes of one Auto Scaling group.
import { App, Stack } from 'aws-cdk-lib';
import * as autoscaling from 'aws-cdk-lib/aws-autoscaling';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import { AUTOSCALING_GENERATE_LAUNCH_TEMPLATE } from 'aws-cdk-lib/cx-api';
import { ImagePrefetcher, NodeSelection } from 'cdk-eks-image-prefetcher';

// `cdk init` writes this flag into cdk.json; new accounts have no launch configurations.
export const app = new App({ context: { [AUTOSCALING_GENERATE_LAUNCH_TEMPLATE]: true } });
const stack = new Stack(app, 'AutoScalingGroup');

const cluster = new eks.Cluster(stack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
  defaultCapacity: 0,
});
const group = new autoscaling.AutoScalingGroup(stack, 'Inference', {
  vpc: cluster.vpc,
  instanceType: new ec2.InstanceType('g6.xlarge'),
  machineImage: ec2.MachineImage.fromSsmParameter('/aws/service/eks/optimized-ami/1.34/amazon-linux-2023/x86_64/nvidia/recommended/image_id'),
  userData: ec2.UserData.custom([
    'MIME-Version: 1.0',
    'Content-Type: application/node.eks.aws',
    '',
    'apiVersion: node.eks.aws/v1alpha1',
    'kind: NodeConfig',
    'spec:',
    '  cluster:',
    `    name: ${cluster.clusterName}`,
    `    apiServerEndpoint: ${cluster.clusterEndpoint}`,
    `    certificateAuthority: ${cluster.clusterCertificateAuthorityData}`,
    '    cidr: 172.20.0.0/16',
  ].join('\n')),
});
cluster.connectAutoScalingGroupCapacity(group, { bootstrapEnabled: false });

new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  nodes: [NodeSelection.autoScalingGroup(group)],
  repositories: [new ecr.Repository(stack, 'Model')],
});
