import type { Stack } from 'aws-cdk-lib';
import { Template as Synthesised } from 'aws-cdk-lib/assertions';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import { ACCOUNT, newCluster, newStack, REGION } from './fixture';
import { ImagePrefetcher, ImageSelection, NodeSelection } from '../src';
import { Iam } from '../testbed/aws/iam';
import { Template } from '../testbed/aws/template';

/** Two clusters with a prefetcher each, as one account would have them; the policies are evaluated as IAM does. */
function deployed(): { template: Template; iam: Iam } {
  const stack = newStack();
  for (const name of ['A', 'B']) {
    const cluster = newCluster(stack, `Cluster${name}`);
    const gpu = cluster.addNodegroupCapacity('Gpu', { nodegroupName: 'gpu' });
    new ImagePrefetcher(stack, `Prefetcher${name}`, {
      cluster,
      nodes: [NodeSelection.nodegroups([gpu])],
      images: [ImageSelection.repository(ecr.Repository.fromRepositoryName(stack, `Repository${name}`, `team/${name.toLowerCase()}`))],
    });
  }
  return evaluate(stack);
}

function evaluate(stack: Stack): { template: Template; iam: Iam } {
  const template = new Template(Synthesised.fromStack(stack).toJSON(), { account: ACCOUNT, region: REGION, stackName: 'Stack' });
  return { template, iam: new Iam(template) };
}

const { template, iam } = deployed();

const find = (type: string, part: string) => {
  const found = template.resources(type).find(({ logicalId }) => logicalId.startsWith(part));
  if (!found) {
    throw new Error(`no ${type} ${part}`);
  }
  return found.logicalId;
};
const roleArn = (part: string) => template.attribute(find('AWS::IAM::Role', part), 'Arn');
const documentArn = (part: string) => `arn:aws:ssm:${REGION}:${ACCOUNT}:document/${template.ref(find('AWS::SSM::Document', part))}`;
const instance = `arn:aws:ec2:${REGION}:${ACCOUNT}:instance/i-0123456789abcdef0`;
const nodeOf = (cluster: string, nodegroup: string) => ({
  'ssm:resourceTag/eks:cluster-name': template.ref(find('AWS::EKS::Cluster', `Cluster${cluster}`)),
  'ssm:resourceTag/eks:nodegroup-name': nodegroup,
});
const allowed = (role: string, action: string, resource: string, context = {}) => iam.allowed(role, action, resource, context).allowed;

describe('the role of the runbook', () => {
  const role = roleArn('PrefetcherARunbooksRole');

  test('sends its own document', () => {
    expect(allowed(role, 'ssm:SendCommand', documentArn('PrefetcherADocument'))).toBe(true);
  });

  test('sends no other document', () => {
    expect(allowed(role, 'ssm:SendCommand', documentArn('PrefetcherBDocument'))).toBe(false);
    expect(allowed(role, 'ssm:SendCommand', `arn:aws:ssm:${REGION}::document/AWS-RunShellScript`)).toBe(false);
  });

  test('sends to the selected nodes', () => {
    expect(allowed(role, 'ssm:SendCommand', instance, nodeOf('A', 'gpu'))).toBe(true);
  });

  test('sends to no node of another cluster, of another node group, or without tags', () => {
    expect(allowed(role, 'ssm:SendCommand', instance, nodeOf('B', 'gpu'))).toBe(false);
    expect(allowed(role, 'ssm:SendCommand', instance, nodeOf('A', 'web'))).toBe(false);
    expect(allowed(role, 'ssm:SendCommand', instance)).toBe(false);
  });

  test('is assumed for this account only', () => {
    const forAutomation = (account: string) => ({ 'aws:SourceAccount': account, 'aws:SourceArn': `arn:aws:ssm:${REGION}:${account}:automation-execution/1` });
    expect(iam.trusts(role, 'ssm.amazonaws.com', forAutomation(ACCOUNT)).allowed).toBe(true);
    expect(iam.trusts(role, 'ssm.amazonaws.com', forAutomation('999999999999')).allowed).toBe(false);
    expect(iam.trusts(role, 'ec2.amazonaws.com', forAutomation(ACCOUNT)).allowed).toBe(false);
  });
});

describe('the role of the rule', () => {
  const role = roleArn('PrefetcherAPushRole');

  test('starts its own runbook and passes the role of that', () => {
    expect(allowed(role, 'ssm:StartAutomationExecution', documentArn('PrefetcherARunbooksRunbook'))).toBe(true);
    expect(allowed(role, 'iam:PassRole', roleArn('PrefetcherARunbooksRole'), { 'iam:PassedToService': 'ssm.amazonaws.com' })).toBe(true);
  });

  test('starts no other runbook, passes no other role and to no other service, and sends nothing itself', () => {
    expect(allowed(role, 'ssm:StartAutomationExecution', documentArn('PrefetcherBRunbooksRunbook'))).toBe(false);
    expect(allowed(role, 'iam:PassRole', roleArn('PrefetcherBRunbooksRole'), { 'iam:PassedToService': 'ssm.amazonaws.com' })).toBe(false);
    expect(allowed(role, 'iam:PassRole', roleArn('PrefetcherARunbooksRole'), { 'iam:PassedToService': 'ec2.amazonaws.com' })).toBe(false);
    expect(allowed(role, 'ssm:SendCommand', documentArn('PrefetcherADocument'))).toBe(false);
  });

  test('is assumed for this account\'s rules only', () => {
    const forRule = (account: string) => ({ 'aws:SourceAccount': account, 'aws:SourceArn': `arn:aws:events:${REGION}:${account}:rule/any` });
    expect(iam.trusts(role, 'events.amazonaws.com', forRule(ACCOUNT)).allowed).toBe(true);
    expect(iam.trusts(role, 'events.amazonaws.com', forRule('999999999999')).allowed).toBe(false);
  });
});

describe('the policy of the nodes', () => {
  // The node groups of aws-eks-v2 may read every repository by an AWS managed policy: what this library adds is the policy alone.
  const statements = template.resources('AWS::IAM::ManagedPolicy').find(({ logicalId }) => logicalId.startsWith('PrefetcherANodesPolicy'))!
    .properties.PolicyDocument.Statement as { Action: string | string[]; Resource: string | string[] }[];
  const resourcesOf = (action: string) =>
    statements.filter(statement => [statement.Action].flat().includes(action)).flatMap(statement => statement.Resource);

  test('lets them pull and list the selected repositories only', () => {
    for (const action of ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchCheckLayerAvailability', 'ecr:DescribeImages']) {
      expect([action, resourcesOf(action)]).toEqual([action, [`arn:aws:ecr:${REGION}:${ACCOUNT}:repository/team/a`]]);
    }
  });

  test('lets them write to this log group only, and change nothing in ECR', () => {
    const logGroup = template.attribute(find('AWS::Logs::LogGroup', 'PrefetcherALogGroup'), 'Arn');
    expect(resourcesOf('logs:PutLogEvents').every(resource => resource.startsWith(logGroup))).toBe(true);
    const actions = statements.flatMap(statement => statement.Action);
    expect(actions.filter(action => /\*|Put(?!LogEvents)|Delete|Upload|Import|CreateRepository/.test(action))).toEqual([]);
  });
});
