import { CfnResource, Fn, Stack, Token } from 'aws-cdk-lib';
import { CfnNodegroup } from 'aws-cdk-lib/aws-eks';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { aws_autoscaling, aws_eks } from 'aws-cdk-lib/interfaces';
import type { Construct } from 'constructs';
import type { NodeSelectionConfig } from './node-selection-config';
import { KARPENTER_CLUSTER_TAG, MANAGED_CLUSTER_TAG, ownedTag } from './node-targets';

/** Options of the node selections that don't show the nodes' IAM role. */
export interface NodeSelectionOptions {
  /**
   * IAM role of these nodes. It gets the AWS managed policy AmazonSSMManagedInstanceCore, and pull and list permissions
   * on the selected repositories only. For nodes of several roles, repeat the selection with each of them.
   *
   * @default - a warning says what to attach to the role
   */
  readonly nodeRole?: iam.IRole;
}

/**
 * Says which nodes keep the images.
 *
 * Nodes are found by the tags of their EC2 instances: Systems Manager knows nothing of Kubernetes.
 * EKS Auto Mode and Fargate nodes run no SSM agent and cannot be selected; Windows nodes need another program.
 */
export abstract class NodeSelection {
  /**
   * Managed node groups: of aws-eks, aws-eks-v2, `CfnNodegroup`, imported by name.
   *
   * @throws an error at synth for a node group of another cluster and for Windows nodes
   */
  public static nodegroups(nodegroups: aws_eks.INodegroupRef[]): NodeSelection {
    return new Nodegroups(nodegroups);
  }

  /**
   * Managed node groups of the cluster by their names. For node groups of another stack, and for one whose launch
   * template carries the boot gate.
   *
   * @throws an error at synth when there is no name, or one that cannot exist
   */
  public static nodegroupNames(nodegroupNames: string[], options: NodeSelectionOptions = {}): NodeSelection {
    return new NodegroupNames(nodegroupNames, options);
  }

  /**
   * Every EC2 node of the cluster: managed node groups, self-managed and Karpenter nodes. They all carry the tag
   * `kubernetes.io/cluster/NAME: owned`, by which they join; a narrower selection of the same nodes beside it adds its role only.
   *
   * For self-managed nodes alone, select their Auto Scaling group or a tag of theirs.
   *
   * @throws an error at synth for a cluster whose nodes are Fargate's or Auto Mode's
   */
  public static cluster(options: NodeSelectionOptions = {}): NodeSelection {
    return new WholeCluster(options);
  }

  /** The instances of an Auto Scaling group. */
  public static autoScalingGroup(group: aws_autoscaling.IAutoScalingGroupRef): NodeSelection {
    return new AutoScalingGroup(group);
  }

  /**
   * The nodes of Karpenter node pools of the cluster, by the pools' names.
   *
   * @throws an error at synth when there is no name, or one that cannot exist
   */
  public static karpenterNodePools(nodePoolNames: string[], options: NodeSelectionOptions = {}): NodeSelection {
    return new KarpenterNodePools(nodePoolNames, options);
  }

  /**
   * Instances by tags: they carry each key (1 to 5) with one of its values (1 to 50). No tag of the cluster is added.
   *
   * @throws an error at synth when there are no or more than five keys, or a key has no or more than 50 values
   * @see https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_Target.html
   */
  public static tags(tags: { [tagKey: string]: string[] }, options: NodeSelectionOptions = {}): NodeSelection {
    return new Tags(tags, options);
  }

  /**
   * Works out the selection.
   *
   * @internal
   */
  public abstract _bind(scope: Construct, cluster: aws_eks.IClusterRef): NodeSelectionConfig;
}

const NODEGROUP_TAG = 'eks:nodegroup-name';

class Nodegroups extends NodeSelection {
  constructor(private readonly nodegroups: aws_eks.INodegroupRef[]) {
    super();
  }

  public _bind(_scope: Construct, cluster: aws_eks.IClusterRef): NodeSelectionConfig {
    if (this.nodegroups.length === 0) {
      throw new Error('a selection of node groups must name at least one, got an empty list');
    }
    for (const nodegroup of this.nodegroups) {
      validateNodegroup(nodegroup, cluster);
    }
    return {
      tagSets: [{ [MANAGED_CLUSTER_TAG]: [cluster.clusterRef.clusterName], [NODEGROUP_TAG]: this.nodegroups.map(nodegroupName) }],
      nodes: this.nodegroups.map(nodegroup => ({ description: `nodegroup ${nodegroup.node.path}`, role: roleOf(nodegroup) })),
    };
  }
}

class NodegroupNames extends NodeSelection {
  constructor(private readonly names: string[], private readonly options: NodeSelectionOptions) {
    super();
  }

  public _bind(_scope: Construct, cluster: aws_eks.IClusterRef): NodeSelectionConfig {
    validateNames('node group', this.names);
    return {
      tagSets: [{ [MANAGED_CLUSTER_TAG]: [cluster.clusterRef.clusterName], [NODEGROUP_TAG]: this.names }],
      nodes: [{ description: `nodegroups ${this.names.join(', ')}`, role: this.options.nodeRole }],
    };
  }
}

class WholeCluster extends NodeSelection {
  constructor(private readonly options: NodeSelectionOptions) {
    super();
  }

  public _bind(_scope: Construct, cluster: aws_eks.IClusterRef): NodeSelectionConfig {
    const compute = (cfnResourceOf(cluster) as { computeConfig?: { enabled?: unknown } } | undefined)?.computeConfig;
    if (compute?.enabled === true) {
      throw new Error(`the whole of cluster '${cluster.node.path}' cannot be selected: it runs EKS Auto Mode, whose nodes run no SSM agent; select its managed node groups instead`);
    }
    if ('defaultProfile' in cluster) {
      throw new Error(`the whole of cluster '${cluster.node.path}' cannot be selected: its nodes are Fargate's, which run no SSM agent; select its managed node groups instead`);
    }
    const name = cluster.clusterRef.clusterName;
    return {
      tagSets: [{ [ownedTag(name)]: ['owned'] }],
      nodes: [{ description: `every node of cluster ${cluster.node.path}`, role: this.options.nodeRole }],
    };
  }
}

class AutoScalingGroup extends NodeSelection {
  constructor(private readonly group: aws_autoscaling.IAutoScalingGroupRef) {
    super();
  }

  public _bind(): NodeSelectionConfig {
    if ((this.group as { osType?: unknown }).osType === 1) {
      throw new Error(`Auto Scaling group '${this.group.node.path}' runs Windows, which this library does not support: select Linux nodes`);
    }
    return {
      tagSets: [{ 'aws:autoscaling:groupName': [this.group.autoScalingGroupRef.autoScalingGroupName] }],
      nodes: [{ description: `Auto Scaling group ${this.group.node.path}`, role: roleOf(this.group) }],
    };
  }
}

class KarpenterNodePools extends NodeSelection {
  constructor(private readonly names: string[], private readonly options: NodeSelectionOptions) {
    super();
  }

  public _bind(_scope: Construct, cluster: aws_eks.IClusterRef): NodeSelectionConfig {
    validateNames('Karpenter node pool', this.names);
    return {
      tagSets: [{ [KARPENTER_CLUSTER_TAG]: [cluster.clusterRef.clusterName], 'karpenter.sh/nodepool': this.names }],
      nodes: [{ description: `Karpenter node pools ${this.names.join(', ')}`, role: this.options.nodeRole }],
    };
  }
}

class Tags extends NodeSelection {
  constructor(private readonly tags: { [tagKey: string]: string[] }, private readonly options: NodeSelectionOptions) {
    super();
  }

  public _bind(): NodeSelectionConfig {
    const keys = Object.keys(this.tags);
    if (keys.length < 1 || keys.length > 5) {
      throw new Error(`a selection by tags must have 1 to 5 tag keys, got ${keys.length}: Systems Manager takes no more`);
    }
    for (const key of keys) {
      if (this.tags[key].length < 1 || this.tags[key].length > 50) {
        throw new Error(`tag '${key}' must have 1 to 50 values, got ${this.tags[key].length}: Systems Manager takes no more`);
      }
    }
    return { tagSets: [this.tags], nodes: [{ description: `instances with tags ${keys.join(', ')}`, role: this.options.nodeRole }] };
  }
}

function validateNames(what: string, names: string[]): void {
  if (names.length === 0) throw new Error(`a selection by ${what} names must have at least one name, got none`);
  for (const name of names) {
    if (!Token.isUnresolved(name) && !/^[0-9A-Za-z][A-Za-z0-9._-]{0,252}$/.test(name)) {
      throw new Error(`a ${what} name must be letters, digits, . _ and -, got '${name}'`);
    }
  }
}

/**
 * The name as the node's tag has it. `nodegroupName` of an L2 is CLUSTER/NAME unless a feature flag is set, so the resource
 * behind it is asked; what is imported says its name, or has an ARN `…:nodegroup/CLUSTER/NAME/ID`.
 */
function nodegroupName(nodegroup: aws_eks.INodegroupRef): string {
  const resource = cfnResourceOf(nodegroup);
  if (resource) return (resource as CfnNodegroup).attrNodegroupName;
  const named = (nodegroup as { nodegroupName?: string }).nodegroupName;
  return named ?? Fn.select(2, Fn.split('/', nodegroup.nodegroupRef.nodegroupArn));
}

function validateNodegroup(nodegroup: aws_eks.INodegroupRef, cluster: aws_eks.IClusterRef): void {
  const resource = cfnResourceOf(nodegroup) as CfnNodegroup | undefined;
  if (!resource) return;
  if (isOfOtherCluster(nodegroup, resource.clusterName as string, cluster)) {
    throw new Error(`nodegroup '${nodegroup.node.path}' is of another cluster than '${cluster.node.path}': give each cluster an ImagePrefetcher of its own`);
  }
  if (typeof resource.amiType === 'string' && resource.amiType.startsWith('WINDOWS')) {
    throw new Error(`nodegroup '${nodegroup.node.path}' runs Windows (${resource.amiType}), which this library does not support: leave it out`);
  }
  if (typeof resource.amiType === 'string' && resource.amiType.startsWith('BOTTLEROCKET')) {
    throw new Error(`nodegroup '${nodegroup.node.path}' runs Bottlerocket (${resource.amiType}), where SSM reaches no containerd: leave it out, or bake the images into its data volume's snapshot`);
  }
}

/** Names that are known only at deployment differ when they come from different resources. */
function isOfOtherCluster(nodegroup: aws_eks.INodegroupRef, name: string, cluster: aws_eks.IClusterRef): boolean {
  const own = cluster.clusterRef.clusterName;
  if (!Token.isUnresolved(name) && !Token.isUnresolved(own)) return name !== own;
  if (!Token.isUnresolved(name) || !Token.isUnresolved(own)) return false;
  const owner = (nodegroup as { cluster?: aws_eks.IClusterRef }).cluster ?? nodegroup;
  if (Stack.of(owner) !== Stack.of(cluster)) return owner !== nodegroup;
  return JSON.stringify(Stack.of(owner).resolve(name)) !== JSON.stringify(Stack.of(cluster).resolve(own));
}

function cfnResourceOf(construct: aws_eks.IClusterRef | aws_eks.INodegroupRef): CfnResource | undefined {
  if (CfnResource.isCfnResource(construct)) return construct;
  return construct.node.findAll().find((child): child is CfnResource =>
    CfnResource.isCfnResource(child) && /^AWS::EKS::(Cluster|Nodegroup)$/.test(child.cfnResourceType));
}

/** The role of an L2 is a property; of an L1 there is only its ARN. */
function roleOf(construct: aws_eks.INodegroupRef | aws_autoscaling.IAutoScalingGroupRef): iam.IRole | undefined {
  const role = (construct as { role?: iam.IRole }).role;
  if (role || !(construct instanceof CfnNodegroup)) return role;
  if (typeof construct.nodeRole !== 'string') return undefined;
  return iam.Role.fromRoleArn(construct, 'NodeRole', construct.nodeRole);
}
