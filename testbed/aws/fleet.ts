import { createHash } from 'node:crypto';
import { Refused } from './errors';
import type { Iam } from './iam';
import type { Template } from './template';

/** How a script ended on a node. */
export interface CommandOutput {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
  readonly timedOut?: boolean;
}

/** A managed node: something with tags that can run a script. */
export interface CommandTarget {
  readonly name: string;
  readonly tags: Record<string, string>;
  /** Derived from the name when not given. */
  readonly instanceId?: string;
  /** Linux when not given. */
  readonly platform?: string;
  /** A current SSM agent when not given. */
  readonly agent?: 'current' | 'old';
  /** Role of its instance profile; when not given, that of its node group in the template. */
  readonly roleArn?: string;
  /** Whether its agent takes commands; true when not given. */
  readonly answers?: boolean;
  /** Whether its agent reaches CloudWatch Logs; true when not given. */
  readonly reachesLogs?: boolean;
  run(script: string, env: Record<string, string>, timeoutSeconds: number): Promise<CommandOutput>;
  /** Starts the node again; only where it can. */
  reboot?(): Promise<void>;
}

/** Target of SendCommand and of an association. */
export interface Target {
  readonly Key: string;
  readonly Values: string[];
}

/** EC2 instance id of a node. */
export function instanceId(node: CommandTarget): string {
  return node.instanceId ?? `i-${createHash('sha256').update(node.name).digest('hex').slice(0, 17)}`;
}

/** The nodes that targets select: keys are ANDed, the values of one key ORed. */
export function select(owner: string, fleet: readonly CommandTarget[], targets: Target[]): CommandTarget[] {
  if (!Array.isArray(targets) || targets.length < 1 || targets.length > 5) {
    throw new Refused(owner, 'takes 1 to 5 targets', targets);
  }
  for (const { Key, Values } of targets) {
    if (!/^(tag:.{1,128}|InstanceIds)$/.test(Key)) {
      throw new Refused(owner, 'this stand-in knows the target keys tag:KEY and InstanceIds', Key);
    }
    if (!Array.isArray(Values) || Values.length < 1 || Values.length > 50 || !Values.every(value => typeof value === 'string')) {
      throw new Refused(owner, `target ${Key} takes 1 to 50 values, all strings`, Values);
    }
  }
  return fleet.filter(node => targets.every(({ Key, Values }) =>
    Values.includes(Key === 'InstanceIds' ? instanceId(node) : node.tags[Key.slice(4)] ?? '\0')));
}

/** ARN of a node's role when the template shows what it may do, else undefined. */
export function nodeRole(template: Template, iam: Iam, node: CommandTarget): string | undefined {
  const nodegroup = template.resources('AWS::EKS::Nodegroup').find(({ logicalId, properties }) =>
    properties.ClusterName === node.tags['eks:cluster-name']
    && template.attribute(logicalId, 'NodegroupName') === node.tags['eks:nodegroup-name']);
  const arn = node.roleArn ?? nodegroup?.properties.NodeRole;
  return iam.knows(arn) ? arn : undefined;
}
