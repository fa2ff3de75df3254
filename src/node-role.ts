import { CfnResource, Names, Reference, Stack, Token, TokenComparison, Tokenization } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { isKnownLater, isToken } from './known-later';
import { spelledOut } from './spelled-out';

/** The resource of this app behind the ARN of a role. */
function cfnRoleOf(roleArn: string): CfnResource | undefined {
  const { firstToken: token, length } = Tokenization.reverseString(roleArn);
  if (length !== 1 || !Reference.isReference(token) || token.displayName !== 'Arn' || !CfnResource.isCfnResource(token.target)) {
    return undefined;
  }
  return token.target.cfnResourceType === 'AWS::IAM::Role' ? token.target : undefined;
}

export function isRoleOfApp(roleArn: string): boolean {
  return cfnRoleOf(roleArn) !== undefined;
}

/** Whether an ARN shows the role's name; that of any other can't be told from its path. */
export function isSpelledOut(roleArn: string): boolean {
  const [, , , , , name] = roleArn.split(':');
  return name !== undefined && !isKnownLater(name);
}

/**
 * The role of this app behind the ARN of one. CDK takes the part behind the first slash of an ARN that a deployment will
 * know for the role's name, which is a path where the role has one.
 */
export function roleBehind(scope: Construct, roleArn: string): iam.IRole | undefined {
  const resource = cfnRoleOf(roleArn);
  if (!resource) {
    return undefined;
  }
  const owner = resource.node.scope;
  const id = Names.nodeUniqueId(resource.node);
  return iam.Role.isRole(owner) ? owner : importedRole(scope, id, () => iam.Role.fromRoleName(folder(scope), id, resource.ref));
}

/**
 * The role of this app that a role stands for: a `LazyRole` for the one within, which is there since its ARN was asked for, an imported one for
 * the one it was imported from by its ARN. One that may not be changed is left as it is.
 */
export function roleStoodFor(scope: Construct, role: iam.IRole): iam.IRole | undefined {
  const { defaultChild } = role.node;
  if (defaultChild && iam.Role.isRole(defaultChild)) {
    return defaultChild;
  }
  return !iam.Role.isRole(role) && attachAwsManagedPolicy(role, 'AmazonSSMManagedInstanceCore').takesPolicies ? roleBehind(scope, role.roleArn) : undefined;
}

export function roleOfArn(scope: Construct, roleArn: string): iam.IRole | undefined {
  if (!isSpelledOut(roleArn)) {
    return undefined;
  }
  const id = roleArn.split(':').slice(4).join('-').replace(/[/${}[\]]/g, '-');
  return importedRole(scope, id, () => iam.Role.fromRoleArn(folder(scope), id, roleArn));
}

function importedRole(scope: Construct, id: string, make: () => iam.IRole): iam.IRole {
  return folder(scope).node.tryFindChild(id) as unknown as iam.IRole ?? make();
}

function folder(scope: Construct): Construct {
  return scope.node.tryFindChild('Roles') as Construct ?? new Construct(scope, 'Roles');
}

/** Whether a role has the name that CDK takes from its ARN: behind the first slash, where its path may be. */
export function hasNameOfLateArn(scope: Construct, { roleName, roleArn }: iam.IRole): boolean {
  return isToken(roleName) && spelledOut(scope, roleArn).split(':').length < 6;
}

/** Attaches an AWS managed policy; says whether the role took it, and whether it takes one of this app. */
export function attachAwsManagedPolicy(role: iam.IRole, policyName: string): { attached: boolean; takesPolicies: boolean } {
  const policy = iam.ManagedPolicy.fromAwsManagedPolicyName(policyName);
  if (iam.Role.isRole(role)) {
    role.addManagedPolicy(policy);
    return { attached: true, takesPolicies: true };
  }
  // An imported role asks the policy to attach itself, which one of AWS can't; a role that may not be changed doesn't ask.
  let takesPolicies = false;
  role.addManagedPolicy(Object.assign(Object.create(policy), { attachToRole: () => { takesPolicies = true; } }));
  return { attached: false, takesPolicies };
}

/** Whether a policy of this stack can't reach the role: IAM is per account. */
export function isOfOtherAccount(scope: Construct, role: iam.IRole): boolean {
  const { account } = Stack.of(scope);
  return [role.env.account, role.principalAccount ?? account].some(each => Token.compareStrings(each, account) === TokenComparison.DIFFERENT);
}
