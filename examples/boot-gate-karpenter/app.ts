// The boot gate in the EC2NodeClass of Karpenter node pools.
import { App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { ImagePrefetcher, NodeSelection } from 'cdk-eks-image-prefetcher';

export const app = new App();
export const stack = new Stack(app, 'GatedKarpenter');

const cluster = eks.Cluster.fromClusterAttributes(stack, 'Cluster', {
  clusterName: 'production',
  // What applies manifests to this cluster.
  kubectlProvider: eks.KubectlProvider.fromKubectlProviderAttributes(stack, 'Kubectl', {
    serviceToken: stack.formatArn({ service: 'lambda', resource: 'function:production-kubectl' }),
  }),
});
const nodeRole = new iam.Role(stack, 'KarpenterNodes', {
  assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com'),
  managedPolicies: ['AmazonEKSWorkerNodePolicy', 'AmazonEKS_CNI_Policy', 'AmazonEC2ContainerRegistryPullOnly']
    .map(name => iam.ManagedPolicy.fromAwsManagedPolicyName(name)),
});

const prefetcher = new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  nodes: [NodeSelection.karpenterNodePools(['gpu'], { nodeRole })],
  repositories: [new ecr.Repository(stack, 'Training')],
});

cluster.addManifest('GpuNodeClass', {
  apiVersion: 'karpenter.k8s.aws/v1',
  kind: 'EC2NodeClass',
  metadata: { name: 'gpu' },
  spec: {
    amiSelectorTerms: [{ alias: 'al2023@latest' }],
    role: nodeRole.roleName,
    subnetSelectorTerms: [{ tags: { 'karpenter.sh/discovery': 'production' } }],
    securityGroupSelectorTerms: [{ tags: { 'karpenter.sh/discovery': 'production' } }],
    // Karpenter adds its own part to this.
    userData: prefetcher.renderBootGate(),
  },
});
