import { ArnFormat, Aws, Stack, Token } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { NodeTarget } from './node-targets';

/** A role that only this account's own rules or automations can make AWS assume, not those of another customer. */
function serviceRole(scope: Construct, id: string, service: string, sourceService: string, sourceResource: string, description: string): iam.Role {
  return new iam.Role(scope, id, {
    description,
    assumedBy: new iam.ServicePrincipal(service, {
      conditions: {
        StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
        ArnLike: { 'aws:SourceArn': Stack.of(scope).formatArn({ service: sourceService, resource: sourceResource, resourceName: '*' }) },
      },
    }),
  });
}

/** The role of the runbooks: sends this document to the selected nodes, and nothing else to anyone. */
export function createAutomationRole(scope: Construct, id: string, documentName: string, targets: NodeTarget[]): iam.Role {
  const role = serviceRole(scope, id, 'ssm.amazonaws.com', 'ssm', 'automation-execution', 'Sends the prefetch command to the selected EKS nodes');
  const stack = Stack.of(scope);
  const documentArn = stack.formatArn({ service: 'ssm', resource: 'document', resourceName: documentName });
  const instances = stack.formatArn({ service: 'ec2', resource: 'instance', resourceName: '*' });

  role.addToPolicy(new iam.PolicyStatement({ actions: ['ssm:SendCommand'], resources: [documentArn] }));
  // Reading the state of a command takes no resource.
  role.addToPolicy(new iam.PolicyStatement({ actions: ['ssm:ListCommands', 'ssm:ListCommandInvocations', 'ssm:DescribeInstanceInformation'], resources: ['*'] }));

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
  return role;
}

function hasTokenKey(condition: object): boolean {
  return Object.keys(condition).some(key => Token.isUnresolved(key));
}

/** The role of the rules: starts these runbooks with that role, and nothing else. */
export function createEventsRole(scope: Construct, id: string): iam.Role {
  return serviceRole(scope, id, 'events.amazonaws.com', 'events', 'rule', 'Starts the prefetch runbook when an image is pushed');
}

/** AWS's pages moved from the first form of the resource to the other two; both are asked for in practice. */
export function allowStart(role: iam.Role, runbookName: string, automationRole: iam.Role): void {
  const stack = Stack.of(role);
  const arn = (resource: string, resourceName: string) => stack.formatArn({ service: 'ssm', resource, resourceName, arnFormat: ArnFormat.SLASH_RESOURCE_NAME });
  role.addToPolicy(new iam.PolicyStatement({
    actions: ['ssm:StartAutomationExecution'],
    resources: [arn('automation-definition', `${runbookName}:*`), arn('document', runbookName), arn('automation-execution', '*')],
  }));
  role.addToPolicy(new iam.PolicyStatement({
    actions: ['iam:PassRole'],
    resources: [automationRole.roleArn],
    conditions: { StringEquals: { 'iam:PassedToService': 'ssm.amazonaws.com' } },
  }));
}
