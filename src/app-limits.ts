import { Annotations, Reference, Stack, Tokenization } from 'aws-cdk-lib';
import { CfnRule } from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { IConstruct } from 'constructs';
import type { ImageSelectionConfig } from './image-selection-config';

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html */
const MOST_WILDCARD_RULES_OF_BUS = 30;
const MOST_RULES_OF_BUS = 300;

/** A role takes 10 managed policies; of those of a role that is not made here, EKS has three and SSM one. */
const MOST_POLICIES_OF_ROLE = 10;
const USUAL_POLICIES_OF_ROLE = 4;

/** https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html */
const MOST_OUTPUTS_OF_STACK = 200;

/** Rules per bus are counted over the whole app: those of other prefetchers, and of others, are on it too. */
export function countRules(prefetcher: IConstruct): void {
  const buses = new Map<string, { wildcards: number; all: number; own: boolean }>();
  for (const rule of prefetcher.node.root.node.findAll().filter(isRule)) {
    const { account, region } = Stack.of(rule);
    const name = Stack.of(rule).resolve(rule.eventBusName) ?? 'default';
    const key = JSON.stringify([account, region, name]);
    const bus = buses.get(key) ?? { wildcards: 0, all: 0, own: false };
    bus.all++;
    if (JSON.stringify(Stack.of(rule).resolve(rule.eventPattern) ?? '').includes('"wildcard":')) {
      bus.wildcards++;
    }
    bus.own ||= rule.node.scopes.includes(prefetcher);
    buses.set(key, bus);
  }
  for (const { wildcards, all } of [...buses.values()].filter(({ own }) => own)) {
    if (wildcards > MOST_WILDCARD_RULES_OF_BUS) {
      throw new Error(`an event bus takes ${MOST_WILDCARD_RULES_OF_BUS} rules with wildcards, and with '${prefetcher.node.path}' this app has ${wildcards}: use exact, prefix or suffix patterns, or one filter for more repositories`);
    }
    if (all > MOST_RULES_OF_BUS) {
      Annotations.of(prefetcher).addWarningV2('cdk-eks-image-prefetcher:manyRules',
        `an event bus takes ${MOST_RULES_OF_BUS} rules, and with '${prefetcher.node.path}' this app has ${all}: raise the quota 'Number of rules' of EventBridge, or give repositories the same tag filters`);
    }
  }
}

function isRule(construct: IConstruct): construct is CfnRule {
  return (construct as CfnRule).cfnResourceType === CfnRule.CFN_RESOURCE_TYPE_NAME;
}

/** Managed policies of the node roles: their own, this prefetcher's, those of others in this app. */
export function countPolicies(prefetcher: IConstruct, roles: iam.IRole[]): void {
  const attachments = prefetcher.node.root.node.findAll()
    .filter((each): each is iam.ManagedPolicy => each instanceof iam.ManagedPolicy)
    .flatMap(rolesOf);
  for (const role of roles) {
    const identity = identityOf(role);
    const ofApp = attachments.filter(name => name === identity).length;
    const ownArns = iam.Role.isRole(role) ? (role.node.defaultChild as iam.CfnRole | undefined)?.managedPolicyArns : undefined;
    const own = ownArns ? (Stack.of(role).resolve(ownArns) as unknown[] | undefined ?? []).length : USUAL_POLICIES_OF_ROLE;
    if (own + ofApp > MOST_POLICIES_OF_ROLE) {
      Annotations.of(prefetcher).addWarningV2('cdk-eks-image-prefetcher:manyNodePolicies',
        `node role '${role.node.path}' has ${own + ofApp} managed policies with '${prefetcher.node.path}', ${ofApp} of them made in this app, and IAM allows ${MOST_POLICIES_OF_ROLE}: raise the quota 'Managed policies attached to an IAM role' to 20, or let fewer prefetchers, or fewer repositories, share the role`);
    }
  }
}

function rolesOf(policy: iam.ManagedPolicy): string[] {
  const names: string[] = Stack.of(policy).resolve((policy.node.defaultChild as iam.CfnManagedPolicy | undefined)?.roles) ?? [];
  return names.map(name => JSON.stringify(name));
}

function identityOf(role: iam.IRole): string {
  return JSON.stringify(Stack.of(role).resolve(role.roleName));
}

/** What the prefetchers of an app take from other stacks, by the paths of these. */
const taken = new WeakMap<IConstruct, Map<string, Set<string>>>();

/** Values that prefetchers take from another stack: CloudFormation hands each over by an output of that one. */
export function countExports(prefetcher: IConstruct, images: ImageSelectionConfig[]): void {
  const { root } = prefetcher.node;
  const known = taken.get(root) ?? new Map<string, Set<string>>();
  taken.set(root, known);
  for (const text of images.flatMap(image => [image.path, image.ecr?.repositoryArn ?? ''])) {
    for (const token of Tokenization.reverseString(text).tokens.filter(Reference.isReference)) {
      const producer = Stack.of(token.target);
      if (producer !== Stack.of(prefetcher)) {
        const values = known.get(producer.node.path) ?? new Set();
        known.set(producer.node.path, values.add(`${token.target.node.path} ${token.displayName}`));
      }
    }
  }
  for (const [stack, { size: count }] of known) {
    if (count > MOST_OUTPUTS_OF_STACK) {
      Annotations.of(prefetcher).addWarningV2('cdk-eks-image-prefetcher:manyExports',
        `a stack takes ${MOST_OUTPUTS_OF_STACK} outputs, and '${prefetcher.node.path}' makes stack '${stack}' export ${count} names and ARNs of repositories: give these repositories by Repository.fromRepositoryName()`);
    }
  }
}
