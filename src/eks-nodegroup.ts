import { Annotations, CfnResource, Fn, Reference, Tokenization } from 'aws-cdk-lib';
import { CfnNodegroup } from 'aws-cdk-lib/aws-eks';
import type { aws_eks } from 'aws-cdk-lib/interfaces';
import type { IConstruct } from 'constructs';
import { areDifferentClusters } from './eks-cluster';
import { UNFIT, unfitImageOfLaunchTemplate } from './machine-image';
import { spelledOut } from './spelled-out';
import { validateKind } from './validate-kind';
import { validateList } from './validate-list';

/**
 * The name as the node's tag has it. `nodegroupName` of an L2 is CLUSTER/NAME unless a feature flag is set, so the resource
 * behind it is asked; what is imported says its name, or has an ARN `…:nodegroup/CLUSTER/NAME/ID`.
 */
export function nodegroupName(nodegroup: aws_eks.INodegroupRef): string {
  const resource = cfnNodegroupOf(nodegroup);
  if (resource) {
    return resource.attrNodegroupName;
  }
  const named = (nodegroup as { nodegroupName?: string }).nodegroupName;
  return named === undefined ? Fn.select(2, Fn.split('/', nodegroup.nodegroupRef.nodegroupArn)) : nameInTag(named);
}

/** A name as the node's tag has it: a reference to a node group of this app is CLUSTER/NAME. */
export function nameInTag(name: string): string {
  const { firstToken: token, length } = Tokenization.reverseString(name);
  const isReference = length === 1 && Reference.isReference(token) && token.displayName === 'Ref';
  return isReference && token.target instanceof CfnNodegroup ? token.target.attrNodegroupName : name;
}

/** The role of an L1, of which there is only the ARN. */
export function roleArnOf(nodegroup: aws_eks.INodegroupRef): string | undefined {
  const roleArn = cfnNodegroupOf(nodegroup)?.nodeRole;
  return typeof roleArn === 'string' ? roleArn : undefined;
}

export function validateNodegroups(what: string, nodegroups: unknown[]): void {
  validateList(what, nodegroups, ': defaultNodegroup of a cluster is undefined in Auto Mode, the default of aws-eks-v2, whose nodes run no SSM agent');
  validateKind(what, 'node groups', 'nodegroupRef', nodegroups, 'those that are known by name are NodeSelection.nodegroupNames(names)');
}

export function validateNodegroup(nodegroup: aws_eks.INodegroupRef, cluster: aws_eks.IClusterRef): void {
  const resource = cfnNodegroupOf(nodegroup);
  if (!resource) {
    return;
  }
  if (areDifferentClusters(spelledOut(resource, resource.clusterName as string), spelledOut(cluster, cluster.clusterRef.clusterName))) {
    throw new Error(`nodegroup '${nodegroup.node.path}' is of another cluster than '${cluster.node.path}': give each cluster an ImagePrefetcher of its own`);
  }
  const amiType = typeof resource.amiType === 'string' ? resource.amiType : '';
  if (amiType.startsWith('WINDOWS')) {
    throw new Error(`nodegroup '${nodegroup.node.path}' runs Windows (${amiType}), which this library does not support: leave it out`);
  }
  const image = unfitImageOfLaunchTemplate(resource, (resource.launchTemplate as CfnNodegroup.LaunchTemplateSpecificationProperty | undefined)?.id);
  if (amiType.startsWith('BOTTLEROCKET') || image === UNFIT.bottlerocket) {
    throw new Error(`nodegroup '${nodegroup.node.path}' runs Bottlerocket (${amiType || 'by its launch template'}), where SSM reaches no containerd: leave it out, or bake the images into its data volume's snapshot`);
  }
  if (amiType.startsWith('AL2_') || image === UNFIT.al2) {
    Annotations.of(nodegroup).addWarningV2('cdk-eks-image-prefetcher:amazonLinux2',
      `nodegroup '${nodegroup.node.path}' runs Amazon Linux 2 (${amiType || 'by its launch template'}), whose Python is older than the 3.9 that the node program needs: give it an amiType AL2023_…; without one the CDK takes AL2 for GPU instances, and for others unless the feature flag @aws-cdk/aws-eks:defaultToAL2023 is set`);
  }
}

function cfnNodegroupOf(construct: IConstruct): CfnNodegroup | undefined {
  const isNodegroup = (each: IConstruct): each is CfnNodegroup => CfnResource.isCfnResource(each) && each.cfnResourceType === 'AWS::EKS::Nodegroup';
  return construct.node.findAll().find(isNodegroup);
}
