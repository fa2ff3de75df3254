import { Annotations, ArnFormat, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { chunkByLength } from './estimated-length';
import type { ImageSelectionConfig } from './image-selection-config';
import { attachAwsManagedPolicy, hasNameOfLateArn, isOfOtherAccount, isRoleOfApp, isSpelledOut, roleBehind, roleOfArn, roleStoodFor } from './node-role';
import type { SelectedNodes } from './node-selection-config';

const SSM_CORE = 'AmazonSSMManagedInstanceCore';
const PULL_AND_LIST = ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer', 'ecr:DescribeImages'];
/** https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html */
const IMPORT_UPSTREAM = ['ecr:BatchImportUpstreamImage', 'ecr:CreateRepository'];

/** A managed policy holds 6,144 characters; what is not a repository ARN takes some of them. */
const CHARACTERS_OF_ARNS = 5_000;

export interface NodePermissionsProps {
  readonly images: ImageSelectionConfig[];
  readonly nodes: SelectedNodes[];
  readonly logGroupName: string;
}

/**
 * What the nodes' roles need: to be reached by Systems Manager, to list and pull the selected repositories, to report to
 * the log group. The policies belong to this construct, so a role of another stack gains no dependency on it.
 */
export class NodePermissions extends Construct {
  /** The roles that got the policies. */
  public readonly roles: iam.IRole[];

  constructor(scope: Construct, id: string, props: NodePermissionsProps) {
    super(scope, id);

    const statements = [...pullStatements(props.images), ...baseStatements(this, props.logGroupName)];
    const actions = [...new Set(statements.flatMap(statement => statement.actions))].join(', ');
    const roles: iam.IRole[] = this.roles = [];

    for (const role of rolesOf(this, props.nodes)) {
      if (isOfOtherAccount(this, role)) {
        warnOfFixedRole(this, role, actions);
        continue;
      }
      const { attached, takesPolicies } = attachAwsManagedPolicy(role, SSM_CORE);
      if (takesPolicies) {
        // A role may be imported in several ways, and CloudFormation takes each name once.
        if (!roles.some(({ roleName }) => roleName === role.roleName)) {
          roles.push(role);
        }
      } else {
        // Where roles are customized, this enters the report of what they need; elsewhere it changes nothing.
        for (const statement of statements) {
          role.addToPrincipalPolicy(statement);
        }
        warnOfFixedRole(this, role, actions);
      }
      if (takesPolicies && !attached && hasNameOfLateArn(this, role)) {
        Annotations.of(this).addWarningV2('cdk-eks-image-prefetcher:roleNameOfArn',
          `the name of node role '${role.node.path}' is what comes after the first slash of its ARN, which only a deployment knows, and policies attach by the name: where the role has a path, give it by iam.Role.fromRoleName(scope, id, name)`);
      }
      if (takesPolicies && !attached) {
        Annotations.of(this).addWarningV2('cdk-eks-image-prefetcher:importedNodeRole',
          `node role '${role.node.path}' is imported, so the AWS managed policy ${SSM_CORE} cannot be attached to it here: attach it where the role is made, unless it is there already`);
      }
    }
    if (roles.length > 0) {
      const policies = splitOverPolicies(statements);
      for (const [index, chunk] of policies.entries()) {
        new iam.ManagedPolicy(this, `Policy${index === 0 ? '' : index + 1}`, {
          description: 'Lets EKS nodes list and pull the prefetched images and report that they did',
          statements: chunk,
          roles,
        });
      }
    }

    const unseen = props.nodes.filter(nodes => !isVisible(nodes));
    if (unseen.length > 0) {
      Annotations.of(this).addWarningV2('cdk-eks-image-prefetcher:nodeRoleNotVisible',
        `the IAM role of ${unseen.map(nodes => nodes.description).join('; ')} cannot be seen from here: give it as nodeRole of the selection, or attach to it the AWS managed policy ${SSM_CORE} and the actions ${actions} (on the selected repositories and the log group)`);
    }
  }
}

/** Each role once. What shows but an ARN may be a role of this app, or one that is given. */
function rolesOf(scope: Construct, nodes: SelectedNodes[]): iam.IRole[] {
  const roles = new Map<string, iam.IRole>();
  for (const { role, roleArn } of nodes) {
    const arn = role?.roleArn ?? roleArn;
    if (arn === undefined || (role === undefined && roles.has(arn))) {
      continue;
    }
    const found = (role ? roleStoodFor(scope, role) ?? role : roleBehind(scope, arn)) ?? roleOfArn(scope, arn);
    if (found) {
      roles.set(arn, found);
    }
  }
  return [...new Set(roles.values())];
}

function isVisible({ role, roleArn }: SelectedNodes): boolean {
  return role !== undefined || (roleArn !== undefined && (isRoleOfApp(roleArn) || isSpelledOut(roleArn)));
}

function warnOfFixedRole(scope: Construct, role: iam.IRole, actions: string): void {
  Annotations.of(scope).addWarningV2('cdk-eks-image-prefetcher:fixedNodeRole',
    `node role '${role.node.path}' may not be changed from here (it is immutable, or of another account): attach to it the AWS managed policy ${SSM_CORE} and the actions ${actions} (on the selected repositories and the log group), unless they are there already`);
}

function pullStatements(images: ImageSelectionConfig[]): iam.PolicyStatement[] {
  const arnsOf = (selected: ImageSelectionConfig[]) => [...new Set(selected.flatMap(image => image.ecr?.repositoryArn ?? []))];
  const statements: iam.PolicyStatement[] = [];
  for (const resources of chunkByLength(arnsOf(images), arn => arn, CHARACTERS_OF_ARNS)) {
    statements.push(new iam.PolicyStatement({ actions: PULL_AND_LIST, resources }));
  }
  for (const resources of chunkByLength(arnsOf(images.filter(image => image.pullThroughCache)), arn => arn, CHARACTERS_OF_ARNS)) {
    statements.push(new iam.PolicyStatement({ actions: IMPORT_UPSTREAM, resources }));
  }
  return statements;
}

function baseStatements(scope: Construct, logGroupName: string): iam.PolicyStatement[] {
  const logGroupArn = Stack.of(scope).formatArn({ service: 'logs', resource: 'log-group', resourceName: logGroupName, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
  return [
    // A token is for a whole registry: this action takes no resource.
    new iam.PolicyStatement({ actions: ['ecr:GetAuthorizationToken'], resources: ['*'] }),
    // A stream for each instance.
    new iam.PolicyStatement({ actions: ['logs:CreateLogStream', 'logs:PutLogEvents'], resources: [`${logGroupArn}:*`] }),
  ];
}

/** Statements full of ARNs get a policy each; the small ones share the first. */
function splitOverPolicies(statements: iam.PolicyStatement[]): iam.PolicyStatement[][] {
  return chunkByLength(statements, statement => statement.resources.join('","'), CHARACTERS_OF_ARNS + 600);
}
