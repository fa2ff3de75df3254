import { ControlPlane } from '../testbed/aws/control-plane';
import type { CommandOutput, CommandTarget } from '../testbed/aws/fleet';
import type { Value } from '../testbed/aws/value';
import { ecrEvent } from '../testbed/engines/ecr-events';
import { ACCOUNT, REGION } from '../testbed/place';

/** Where the sample would be deployed. */
export const HERE = { account: ACCOUNT, region: REGION, stackName: 'Demo' };

/** A small template with the shape that the construct synthesises. */
export function sampleTemplate(): Value {
  const allow = (Action: Value, Resource: Value, Condition?: Value) => ({ Effect: 'Allow', Action, Resource, ...(Condition && { Condition }) });
  const policy = (...Statement: Value[]) => ({ Version: '2012-10-17', Statement });
  const arn = (text: string) => ({ 'Fn::Sub': `arn:\${AWS::Partition}:${text}` });
  const trust = (Service: string, source: string) => policy({
    Effect: 'Allow',
    Action: 'sts:AssumeRole',
    Principal: { Service },
    Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } }, ArnLike: { 'aws:SourceArn': arn(source) } },
  });
  const ssm = 'ssm:${AWS::Region}:${AWS::AccountId}';
  const nodes = [
    { Key: 'tag:eks:cluster-name', Values: [{ Ref: 'Cluster' }] },
    { Key: 'tag:eks:nodegroup-name', Values: [{ 'Fn::GetAtt': ['Gpu', 'NodegroupName'] }] },
  ];
  return {
    Resources: {
      Cluster: { Type: 'AWS::EKS::Cluster', Properties: { Name: 'training', SubnetIds: [{ Ref: 'SubnetOfNoInterest' }] } },
      Gpu: { Type: 'AWS::EKS::Nodegroup', Properties: { ClusterName: { Ref: 'Cluster' }, NodegroupName: 'gpu', NodeRole: { 'Fn::GetAtt': ['NodeRole', 'Arn'] } } },
      NodeRole: {
        Type: 'AWS::IAM::Role',
        Properties: {
          AssumeRolePolicyDocument: policy({ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'ec2.amazonaws.com' } }),
          ManagedPolicyArns: [arn('iam::aws:policy/AmazonSSMManagedInstanceCore')],
        },
      },
      NodePolicy: {
        Type: 'AWS::IAM::Policy',
        Properties: {
          Roles: [{ Ref: 'NodeRole' }],
          PolicyDocument: policy(allow(['logs:CreateLogStream', 'logs:PutLogEvents'], { 'Fn::GetAtt': ['LogGroup', 'Arn'] }), allow('logs:DescribeLogGroups', '*')),
        },
      },
      LogGroup: { Type: 'AWS::Logs::LogGroup', Properties: { RetentionInDays: 30 } },
      Document: {
        Type: 'AWS::SSM::Document',
        Properties: {
          DocumentType: 'Command',
          Content: {
            schemaVersion: '2.2',
            parameters: {
              Images: { type: 'String', interpolationType: 'ENV_VAR', allowedPattern: '^[A-Za-z0-9._:/@,?=&* -]*$' },
              Pushed: { type: 'String', interpolationType: 'ENV_VAR', default: '', allowedPattern: '^([a-z0-9.-]+/[a-z0-9/._-]+:[A-Za-z0-9._-]+)?$' },
              TimeoutSeconds: { type: 'String', default: '600', allowedPattern: '^[0-9]+$' },
            },
            mainSteps: [{
              name: 'prefetch',
              action: 'aws:runShellScript',
              precondition: { StringEquals: ['platformType', 'Linux'] },
              inputs: { timeoutSeconds: '{{ TimeoutSeconds }}', runCommand: ['if [ -z "${SSM_Images+x}" ]; then export SSM_Images="{{ Images }}"; fi', 'exec prefetch'] },
            }],
          },
        },
      },
      Runbook: {
        Type: 'AWS::SSM::Document',
        Properties: {
          DocumentType: 'Automation',
          Content: {
            schemaVersion: '0.3',
            assumeRole: '{{ AutomationAssumeRole }}',
            parameters: {
              AutomationAssumeRole: { type: 'String' },
              Repository: { type: 'String', allowedPattern: '^[a-z0-9/._-]{2,256}$' },
              Tag: { type: 'String', allowedPattern: '^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$' },
            },
            mainSteps: [{
              name: 'send',
              action: 'aws:runCommand',
              isEnd: true,
              inputs: {
                DocumentName: { Ref: 'Document' },
                Parameters: { Images: ['registry/team/app?newest=1'], Pushed: ['{{ global:ACCOUNT_ID }}.dkr.ecr.{{ global:REGION }}.amazonaws.com/{{ Repository }}:{{ Tag }}'] },
                Targets: nodes,
                MaxConcurrency: '1',
                MaxErrors: '0',
                CloudWatchOutputConfig: { CloudWatchOutputEnabled: true, CloudWatchLogGroupName: { Ref: 'LogGroup' } },
              },
            }],
          },
        },
      },
      AutomationRole: {
        Type: 'AWS::IAM::Role',
        Properties: {
          AssumeRolePolicyDocument: trust('ssm.amazonaws.com', `${ssm}:automation-execution/*`),
          Policies: [{
            PolicyName: 'Send',
            PolicyDocument: policy(
              allow('ssm:SendCommand', arn(`${ssm}:document/\${Document}`)),
              allow('ssm:SendCommand', arn('ec2:${AWS::Region}:${AWS::AccountId}:instance/*'), { StringEquals: { 'ssm:resourceTag/eks:cluster-name': { Ref: 'Cluster' } } }),
              allow(['ssm:ListCommands', 'ssm:ListCommandInvocations'], '*')),
          }],
        },
      },
      EventsRole: {
        Type: 'AWS::IAM::Role',
        Properties: {
          AssumeRolePolicyDocument: trust('events.amazonaws.com', 'events:${AWS::Region}:${AWS::AccountId}:rule/*'),
          Policies: [{
            PolicyName: 'Start',
            PolicyDocument: policy(
              allow('ssm:StartAutomationExecution', [`${ssm}:automation-definition/\${Runbook}:*`, `${ssm}:document/\${Runbook}`, `${ssm}:automation-execution/*`].map(arn)),
              allow('iam:PassRole', { 'Fn::GetAtt': ['AutomationRole', 'Arn'] }, { StringEquals: { 'iam:PassedToService': 'ssm.amazonaws.com' } })),
          }],
        },
      },
      Rule: {
        Type: 'AWS::Events::Rule',
        Properties: {
          EventPattern: { source: ['aws.ecr'], detail: { 'repository-name': ['team/app'] } },
          State: 'ENABLED',
          Targets: [{
            Id: 'Runbook',
            Arn: arn(`${ssm}:automation-definition/\${Runbook}:$DEFAULT`),
            RoleArn: { 'Fn::GetAtt': ['EventsRole', 'Arn'] },
            DeadLetterConfig: { Arn: { 'Fn::GetAtt': ['DeadLetters', 'Arn'] } },
            InputTransformer: {
              InputPathsMap: { repository: '$.detail.repository-name', tag: '$.detail.image-tag' },
              InputTemplate: { 'Fn::Join': ['', ['{"Repository":[<repository>],"Tag":[<tag>],"AutomationAssumeRole":["', { 'Fn::GetAtt': ['AutomationRole', 'Arn'] }, '"]}']] },
            },
          }],
        },
      },
      DeadLetters: { Type: 'AWS::SQS::Queue' },
      Association: {
        Type: 'AWS::SSM::Association',
        Properties: {
          Name: { Ref: 'Document' },
          Parameters: { Images: ['registry/team/app?newest=1'] },
          Targets: nodes,
          ScheduleExpression: 'rate(30 minutes)',
          MaxConcurrency: '50%',
          MaxErrors: '100%',
        },
      },
    },
  };
}

/** A push to the sample's repository. */
export function pushOf(tag: string | undefined, repository = 'team/app'): Record<string, Value> {
  return { ...ecrEvent('ECR Image Action', { 'repository-name': repository, 'image-tag': tag }), time: '2026-01-01T00:00:00Z' };
}

/** Compares source and repository only. */
export const matcher = {
  matches: (pattern: Value, event: Value) => pattern.source.includes(event.source)
    && pattern.detail['repository-name'].includes(event.detail['repository-name']),
};

/** The sample with changes, deployed. */
export function deploy(fleet: CommandTarget[], change: (resources: Value) => void = () => undefined): ControlPlane {
  const template = sampleTemplate();
  change(template.Resources);
  return new ControlPlane(template, { ...HERE, matcher, fleet });
}

/** A node that remembers what it was told to run. */
export class FakeNode implements CommandTarget {
  readonly tags: Record<string, string>;
  readonly runs: { script: string; env: Record<string, string>; timeoutSeconds: number }[] = [];
  answers?: boolean;
  reachesLogs?: boolean;

  constructor(readonly name: string, nodegroup = 'gpu', private readonly exitCode = 0, cluster = 'training', readonly agent?: 'old') {
    this.tags = { 'eks:cluster-name': cluster, 'eks:nodegroup-name': nodegroup };
  }

  async run(script: string, env: Record<string, string>, timeoutSeconds: number): Promise<CommandOutput> {
    this.runs.push({ script, env, timeoutSeconds });
    return { exitCode: this.exitCode, stdout: `report of ${this.name}`, stderr: '', seconds: 0.1 };
  }
}
