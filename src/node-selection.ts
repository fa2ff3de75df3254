import type * as iam from 'aws-cdk-lib/aws-iam';
import type { aws_autoscaling, aws_eks } from 'aws-cdk-lib/interfaces';
import type { Construct } from 'constructs';
import { isAutoMode, isFargateCluster } from './eks-cluster';
import { nameInTag, nodegroupName, roleArnOf, validateNodegroup, validateNodegroups } from './eks-nodegroup';
import { isKnownLater, readable } from './known-later';
import { UNFIT, unfitImageOfGroup } from './machine-image';
import type { NodeSelectionConfig } from './node-selection-config';
import { KARPENTER_CLUSTER_TAG, MANAGED_CLUSTER_TAG, ownedTag } from './node-targets';
import { ifGiven, validateKind, validateObject, validateOptions } from './validate-kind';
import { validateTexts } from './validate-list';

/** Options of a node selection. */
export interface NodeSelectionOptions {
  /**
   * IAM role of these nodes, where the selection does not show it. It gets the AWS managed policy
   * AmazonSSMManagedInstanceCore, and pull and list permissions on the selected repositories only. For nodes of several
   * roles, repeat the selection with each of them.
   *
   * @default - the role that the node group or Auto Scaling group shows; else a warning says what to attach
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
   * @throws an error at synth for a node group of another cluster, and for Windows and Bottlerocket nodes
   */
  public static nodegroups(nodegroups: aws_eks.INodegroupRef[], options: NodeSelectionOptions = {}): NodeSelection {
    return new Nodegroups(nodegroups, roleIn(options));
  }

  /**
   * Managed node groups of the cluster by their names. For node groups of another stack, and for one whose launch
   * template carries the boot gate.
   *
   * @throws an error at synth when there is no name, or one that cannot exist
   */
  public static nodegroupNames(nodegroupNames: string[], options: NodeSelectionOptions = {}): NodeSelection {
    return new NodegroupNames(nodegroupNames, roleIn(options));
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
    return new WholeCluster(roleIn(options));
  }

  /**
   * The instances of an Auto Scaling group.
   *
   * @throws an error at synth for Windows, Bottlerocket and Amazon Linux 2 nodes, as far as the machine image shows
   */
  public static autoScalingGroup(group: aws_autoscaling.IAutoScalingGroupRef, options: NodeSelectionOptions = {}): NodeSelection {
    return new AutoScalingGroup(group, roleIn(options));
  }

  /**
   * The nodes of Karpenter node pools of the cluster, by the pools' names.
   *
   * @throws an error at synth when there is no name, or one that cannot exist, and for a cluster in Auto Mode
   */
  public static karpenterNodePools(nodePoolNames: string[], options: NodeSelectionOptions = {}): NodeSelection {
    return new KarpenterNodePools(nodePoolNames, roleIn(options));
  }

  /**
   * Instances by tags: they carry each key (1 to 5) with one of its values (1 to 50). No tag of the cluster is added.
   *
   * @throws an error at synth when there are no or more than five keys, a key has no or more than 50 values, or one of
   * them can't be a tag that Systems Manager finds nodes by (keys of 124 characters, values of 256)
   * @see https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_Target.html
   */
  public static tags(tags: { [tagKey: string]: string[] }, options: NodeSelectionOptions = {}): NodeSelection {
    return new Tags(tags, roleIn(options));
  }

  /**
   * Works out the selection.
   *
   * @internal
   */
  public abstract _bind(scope: Construct, cluster: aws_eks.IClusterRef): NodeSelectionConfig;
}

const NODEGROUP_TAG = 'eks:nodegroup-name';
/** `ec2.OperatingSystemType.WINDOWS` */
const WINDOWS = 1;

class Nodegroups extends NodeSelection {
  constructor(private readonly nodegroups: aws_eks.INodegroupRef[], private readonly nodeRole?: iam.IRole) {
    super();
    validateNodegroups('nodegroups of a NodeSelection', nodegroups);
    if (nodegroups.length === 0) {
      throw new Error('a selection of node groups must name at least one, got an empty list');
    }
  }

  public _bind(_scope: Construct, cluster: aws_eks.IClusterRef): NodeSelectionConfig {
    for (const nodegroup of this.nodegroups) {
      validateNodegroup(nodegroup, cluster);
    }
    return {
      tagSets: [{ [MANAGED_CLUSTER_TAG]: [cluster.clusterRef.clusterName], [NODEGROUP_TAG]: this.nodegroups.map(nodegroupName) }],
      nodes: this.nodegroups.map(nodegroup => ({
        description: `nodegroup ${nodegroup.node.path}`,
        role: (nodegroup as { role?: iam.IRole }).role ?? this.nodeRole,
        roleArn: roleArnOf(nodegroup),
      })),
    };
  }
}

class NodegroupNames extends NodeSelection {
  constructor(private readonly names: string[], private readonly nodeRole?: iam.IRole) {
    super();
    validateNames('node group', names);
  }

  public _bind(_scope: Construct, cluster: aws_eks.IClusterRef): NodeSelectionConfig {
    return {
      tagSets: [{ [MANAGED_CLUSTER_TAG]: [cluster.clusterRef.clusterName], [NODEGROUP_TAG]: this.names.map(nameInTag) }],
      nodes: [{ description: `nodegroups ${this.names.map(readable).join(', ')}`, role: this.nodeRole }],
    };
  }
}

class WholeCluster extends NodeSelection {
  constructor(private readonly nodeRole?: iam.IRole) {
    super();
  }

  public _bind(_scope: Construct, cluster: aws_eks.IClusterRef): NodeSelectionConfig {
    if (isAutoMode(cluster)) {
      throw new Error(`the whole of cluster '${cluster.node.path}' cannot be selected: it runs EKS Auto Mode, whose nodes run no SSM agent; select its managed node groups instead`);
    }
    if (isFargateCluster(cluster)) {
      throw new Error(`the whole of cluster '${cluster.node.path}' cannot be selected: its nodes are Fargate's, which run no SSM agent; select its managed node groups instead`);
    }
    return {
      tagSets: [{ [ownedTag(cluster.clusterRef.clusterName)]: ['owned'] }],
      nodes: [{ description: `every node of cluster ${cluster.node.path}`, role: this.nodeRole }],
    };
  }
}

class AutoScalingGroup extends NodeSelection {
  constructor(private readonly group: aws_autoscaling.IAutoScalingGroupRef, private readonly nodeRole?: iam.IRole) {
    super();
    validateKind('a selection of an Auto Scaling group', 'given one', 'autoScalingGroupRef', [group], 'instances that are known by a tag are NodeSelection.tags(tags)');
    const unfit = (group as { osType?: unknown }).osType === WINDOWS ? UNFIT.windows : unfitImageOfGroup(group);
    if (unfit) {
      throw new Error(`Auto Scaling group '${group.node.path}' runs ${unfit}: select Amazon Linux 2023 nodes`);
    }
  }

  public _bind(): NodeSelectionConfig {
    return {
      tagSets: [{ 'aws:autoscaling:groupName': [this.group.autoScalingGroupRef.autoScalingGroupName] }],
      nodes: [{ description: `Auto Scaling group ${this.group.node.path}`, role: roleOfGroup(this.group) ?? this.nodeRole }],
    };
  }
}

class KarpenterNodePools extends NodeSelection {
  constructor(private readonly names: string[], private readonly nodeRole?: iam.IRole) {
    super();
    validateNames('Karpenter node pool', names);
  }

  public _bind(_scope: Construct, cluster: aws_eks.IClusterRef): NodeSelectionConfig {
    if (isAutoMode(cluster)) {
      throw new Error(`Karpenter node pools of cluster '${cluster.node.path}' cannot be selected: it runs EKS Auto Mode, whose nodes run no SSM agent; select nodes of a Karpenter of your own by NodeSelection.tags()`);
    }
    return {
      tagSets: [{ [KARPENTER_CLUSTER_TAG]: [cluster.clusterRef.clusterName], 'karpenter.sh/nodepool': this.names }],
      nodes: [{ description: `Karpenter node pools ${this.names.map(readable).join(', ')}`, role: this.nodeRole }],
    };
  }
}

class Tags extends NodeSelection {
  constructor(private readonly tags: { [tagKey: string]: string[] }, private readonly nodeRole?: iam.IRole) {
    super();
    validateObject('tags of a NodeSelection', tags, 'write { KEY: [VALUE] }');
    const keys = Object.keys(tags);
    if (keys.length < 1 || keys.length > 5) {
      throw new Error(`a selection by tags must have 1 to 5 tag keys, got ${keys.length}: Systems Manager takes no more`);
    }
    for (const key of keys) {
      validateTagOfInstances(key, tags[key]);
    }
  }

  public _bind(): NodeSelectionConfig {
    const keys = Object.keys(this.tags).map(readable).sort();
    return { tagSets: [this.tags], nodes: [{ description: `instances with tags ${keys.join(', ')}`, role: this.nodeRole }] };
  }
}

function roleIn(options: NodeSelectionOptions): iam.IRole | undefined {
  validateOptions('a NodeSelection', options);
  const { nodeRole } = options;
  validateKind('nodeRole of a NodeSelection', 'a role', 'roleArn', ifGiven(nodeRole), 'one that is known by name is iam.Role.fromRoleName(scope, id, name)');
  return nodeRole;
}

/**
 * `tag:` and the key are the key of a target: 128 characters of an association's, and no + as in API_Target.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-ssm-association-targets.html
 */
const TAG_KEY = /^[\p{L}\p{Z}\p{N}_.:/=@-]{1,124}$/u;

/** No wildcard, and neither a parameter of a Systems Manager document nor a variable of an IAM policy. */
const NOT_IN_A_TAG_VALUE = /\*|\{\{|\$\{/;

function validateTagOfInstances(key: string, values: string[]): void {
  if (!isKnownLater(key) && !TAG_KEY.test(key)) {
    throw new Error(`a tag key must be 1 to 124 letters, digits, spaces and _ . : / = - @, got '${key}': Systems Manager finds nodes by no other`);
  }
  validateTexts(`tag '${readable(key)}'`, values);
  if (values.length < 1 || values.length > 50) {
    throw new Error(`tag '${readable(key)}' must have 1 to 50 values, got ${values.length}: Systems Manager takes no more`);
  }
  const long = values.find(value => !isKnownLater(value) && value.length > 256);
  if (long) {
    throw new Error(`a value of tag '${readable(key)}' must be at most 256 characters, got ${long.length}: '${long}'`);
  }
  const pattern = values.find(value => !isKnownLater(value) && NOT_IN_A_TAG_VALUE.test(value));
  if (pattern !== undefined) {
    throw new Error(`a value of tag '${readable(key)}' must be the value as it is, without *, {{ and $ before {, got '${pattern}': Systems Manager knows no wildcards, so give each value that there is`);
  }
}

function validateNames(what: string, names: string[]): void {
  validateTexts(`${what} names`, names);
  if (names.length === 0) {
    throw new Error(`a selection by ${what} names must have at least one name, got none`);
  }
  for (const name of names) {
    if (!isKnownLater(name) && !/^[0-9A-Za-z][A-Za-z0-9._-]{0,252}$/.test(name)) {
      throw new Error(`a ${what} name must be letters, digits, . _ and -, got '${name}'`);
    }
  }
}

/** A group that is launched by a template throws where that does not show its role. */
function roleOfGroup(group: aws_autoscaling.IAutoScalingGroupRef): iam.IRole | undefined {
  try {
    return (group as { role?: iam.IRole }).role;
  } catch {
    return undefined;
  }
}
