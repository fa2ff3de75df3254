import { CfnResource, Reference, Tokenization } from 'aws-cdk-lib';
import type { CfnCluster } from 'aws-cdk-lib/aws-eks';
import type { aws_eks } from 'aws-cdk-lib/interfaces';
import { isKnownLater } from './known-later';
import { shown } from './validate-kind';

/** A cluster as CloudFormation makes it: of aws-eks-v2 and L1s, and of aws-eks, which has a custom resource for it. */
const CLUSTER_TYPES = ['AWS::EKS::Cluster', 'Custom::AWSCDK-EKS-Cluster'];

/** A name is asked for by tags of the nodes, where one that can't exist finds none. https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html */
export function validateCluster(cluster: aws_eks.IClusterRef): void {
  const { clusterName } = cluster.clusterRef;
  if (typeof clusterName !== 'string' || (!isKnownLater(clusterName) && !/^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/.test(clusterName))) {
    throw new Error(`the name of cluster '${cluster.node.path}' must be 1 to 100 letters, digits, - and _, got ${shown(clusterName)}: give the name that EKS has, not an ARN`);
  }
}

/** Whether the cluster runs EKS Auto Mode, as far as can be seen. */
export function isAutoMode(cluster: aws_eks.IClusterRef): boolean {
  const [resource] = [cluster, ...cluster.node.findAll()].filter(isCfnCluster);
  return (resource as { computeConfig?: { enabled?: unknown } } | undefined)?.computeConfig?.enabled === true;
}

/** Whether the nodes of the cluster are Fargate's. */
export function isFargateCluster(cluster: aws_eks.IClusterRef): boolean {
  return 'defaultProfile' in cluster;
}

/** Whether two names are certainly those of different clusters. One known only at deployment may be any. */
export function areDifferentClusters(left: string, right: string): boolean {
  const [one, other] = [identityOf(left), identityOf(right)];
  if (one.name && other.name) {
    return one.name !== other.name;
  }
  return one.resource !== undefined && other.resource !== undefined && one.resource !== other.resource;
}

function identityOf(clusterName: string): { name?: string; resource?: CfnResource } {
  if (!isKnownLater(clusterName)) {
    return { name: clusterName };
  }
  const { firstToken: token, length } = Tokenization.reverseString(clusterName);
  if (length !== 1 || !Reference.isReference(token) || !isCfnCluster(token.target)) {
    return {};
  }
  return { name: givenName(token.target), resource: token.target };
}

function givenName(resource: CfnResource): string | undefined {
  const config = (resource as unknown as { cfnProperties?: { Config?: { name?: string } } }).cfnProperties?.Config;
  const name = (resource as CfnCluster).name ?? config?.name;
  return name !== undefined && !isKnownLater(name) ? name : undefined;
}

function isCfnCluster(construct: unknown): construct is CfnResource {
  return CfnResource.isCfnResource(construct as any) && CLUSTER_TYPES.includes((construct as CfnResource).cfnResourceType);
}
