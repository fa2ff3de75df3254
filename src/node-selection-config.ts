import type * as iam from 'aws-cdk-lib/aws-iam';

/** Nodes that share an IAM role. */
export interface SelectedNodes {
  /** What these nodes are called in a message, e.g. `nodegroup Stack/Gpu`. */
  readonly description: string;

  /**
   * The IAM role of these nodes.
   *
   * @default - not visible from here, and not given
   */
  readonly role?: iam.IRole;

  /**
   * The ARN of their IAM role.
   *
   * @default - only `role`, if that
   */
  readonly roleArn?: string;
}

/** What a `NodeSelection` comes down to. */
export interface NodeSelectionConfig {
  /**
   * Tags of the instances. A set selects the instances that carry each of its keys with one of the values;
   * several sets add up.
   */
  readonly tagSets: { [tagKey: string]: string[] }[];

  /** The kinds of nodes among them, each with its IAM role where that can be seen. */
  readonly nodes: SelectedNodes[];
}
