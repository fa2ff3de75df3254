import { ArnFormat, Aws, Stack, Token } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct, IConstruct } from 'constructs';
import type { NodeTarget } from './node-targets';

/** A role that only this account's own resources of a service can make AWS assume, not those of another customer. */
function serviceRole(scope: Construct, id: string, service: string, description: string, source?: { service: string; resource: string }): iam.Role {
  const arn = source && Stack.of(scope).formatArn({ ...source, resourceName: '*' });
  return new iam.Role(scope, id, {
    description,
    assumedBy: new iam.ServicePrincipal(service, {
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID }, ...(arn && { ArnLike: { 'aws:SourceArn': arn } }) },
    }),
  });
}

/** The role of the runbooks: sends this document to the selected nodes, and nothing else to anyone. */
export function createAutomationRole(scope: Construct, id: string, documentName: string, targets: NodeTarget[]): iam.Role {
  const role = serviceRole(scope, id, 'ssm.amazonaws.com', 'Sends the prefetch command to the selected EKS nodes', { service: 'ssm', resource: 'automation-execution' });
  allowSendCommand(scope, id, role, documentName, targets);
  // Reading the state of a command takes no resource.
  role.addToPolicy(new iam.PolicyStatement({ actions: ['ssm:ListCommands', 'ssm:ListCommandInvocations', 'ssm:DescribeInstanceInformation'], resources: ['*'] }));
  return role;
}

/**
 * The role by which State Manager sends this document to the selected nodes; its service-linked role, the default, is being
 * phased out. Which source it names when it assumes the role is not documented, so its account alone is asked for.
 *
 * @see https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateAssociation.html
 */
export function createDispatchRole(scope: Construct, id: string, documentName: string, targets: NodeTarget[]): iam.Role {
  const role = serviceRole(scope, id, 'ssm.amazonaws.com', 'Dispatches the prefetch association to the selected EKS nodes');
  allowSendCommand(scope, id, role, documentName, targets);
  return role;
}

function allowSendCommand(scope: Construct, id: string, role: iam.Role, documentName: string, targets: NodeTarget[]): void {
  const stack = Stack.of(scope);
  const documentArn = stack.formatArn({ service: 'ssm', resource: 'document', resourceName: documentName });
  const instances = stack.formatArn({ service: 'ec2', resource: 'instance', resourceName: '*' });

  role.addToPolicy(new iam.PolicyStatement({ actions: ['ssm:SendCommand'], resources: [documentArn] }));
  const statements = targets.map(target => ({
    Effect: 'Allow',
    Action: 'ssm:SendCommand',
    Resource: instances,
    Condition: { StringEquals: Object.fromEntries(target.map(({ key, values }) => [`ssm:resourceTag/${key}`, values])) },
  }));
  for (const statement of statements.filter(({ Condition }) => !hasTokenKey(Condition.StringEquals))) {
    role.addToPolicy(iam.PolicyStatement.fromJson(statement));
  }
  const late = statements.filter(({ Condition }) => hasTokenKey(Condition.StringEquals));
  // Where roles are customized there is no resource, and none may be made beside it.
  if (late.length > 0 && role.node.defaultChild) {
    // A key with the cluster's name, known only at deployment: CloudFormation fills in values, not keys, but it takes a policy as text.
    new iam.CfnPolicy(scope, `${id}LatePolicy`, {
      policyName: 'SendToNodes',
      policyDocument: JSON.stringify({ Version: '2012-10-17', Statement: late }),
      roles: [role.roleName],
    });
  }
}

function hasTokenKey(condition: object): boolean {
  return Object.keys(condition).some(key => Token.isUnresolved(key));
}

/** The role of the rules: starts the runbooks, and nothing else. */
export function createEventsRole(scope: Construct, id: string): iam.Role {
  return serviceRole(scope, id, 'events.amazonaws.com', 'Starts the prefetch runbook when an image is pushed', { service: 'events', resource: 'rule' });
}

/** What starting these runbooks takes. AWS's pages moved from the first form of the resource to the other two; both are asked for in practice. */
export function startStatements(scope: IConstruct, runbookNames: string[], automationRole: iam.IRole): iam.PolicyStatement[] {
  const stack = Stack.of(scope);
  const arn = (resource: string, resourceName: string) => stack.formatArn({ service: 'ssm', resource, resourceName, arnFormat: ArnFormat.SLASH_RESOURCE_NAME });
  return [
    ...runbookNames.map(name => new iam.PolicyStatement({
      actions: ['ssm:StartAutomationExecution'],
      resources: [arn('automation-definition', `${name}:*`), arn('document', name), arn('automation-execution', '*')],
    })),
    new iam.PolicyStatement({
      actions: ['iam:PassRole'],
      resources: [automationRole.roleArn],
      conditions: { StringEquals: { 'iam:PassedToService': 'ssm.amazonaws.com' } },
    }),
  ];
}
