import { createHash } from 'node:crypto';
import type { Environment, Value } from './value';

/** What is known of a resource before it is deployed. */
export interface Undeployed {
  readonly logicalId: string;
  readonly type: string;
  /** Its name, when it was told from outside. */
  readonly name?: string;
  property(name: string): Value;
}

/** The values CloudFormation would return for a resource: `Ref` and its attributes, the same in every run. */
export function physicalValues(
  { logicalId, type, name: given, property }: Undeployed,
  { account, region, stackName }: Environment,
  partition: string,
  urlSuffix: string,
): Record<string, string | undefined> {
  const hash = createHash('sha256').update(`${stackName}/${logicalId}`).digest('hex');
  const uuid = hash.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
  const arn = (service: string, resource: string, inRegion = region, ofAccount = account) =>
    `arn:${partition}:${service}:${inRegion}:${ofAccount}:${resource}`;
  const named = (nameProperty: string, longest: number): string => given ?? property(nameProperty)
    ?? `${`${stackName}-${logicalId}`.slice(0, longest - 13)}-${hash.slice(0, 12).toUpperCase()}`;
  const path = () => property('Path') ?? '/';

  switch (type) {
    case 'AWS::SSM::Document':
      return { Ref: named('Name', 128) };
    case 'AWS::SSM::Association':
      return { Ref: uuid, AssociationId: uuid };
    case 'AWS::IAM::Role': {
      const name = named('RoleName', 64);
      return { Ref: name, Arn: arn('iam', `role${path()}${name}`, ''), RoleId: `AROA${hash.slice(0, 16).toUpperCase()}` };
    }
    case 'AWS::IAM::InstanceProfile': {
      const name = named('InstanceProfileName', 128);
      return { Ref: name, Arn: arn('iam', `instance-profile${path()}${name}`, '') };
    }
    case 'AWS::IAM::ManagedPolicy': {
      const policy = arn('iam', `policy${path()}${named('ManagedPolicyName', 128)}`, '');
      return { Ref: policy, PolicyArn: policy };
    }
    case 'AWS::IAM::Policy':
      return { Ref: `${stackName.slice(0, 4)}-${logicalId.slice(0, 4)}-${hash.slice(0, 12).toUpperCase()}` };
    case 'AWS::Events::Rule': {
      const name = named('Name', 64);
      const bus = property('EventBusName')?.split('/').pop();
      return { Ref: bus && bus !== 'default' ? `${bus}|${name}` : name, Arn: arn('events', bus && bus !== 'default' ? `rule/${bus}/${name}` : `rule/${name}`) };
    }
    case 'AWS::Events::EventBus': {
      const name = named('Name', 256);
      return { Ref: name, Name: name, Arn: arn('events', `event-bus/${name}`) };
    }
    case 'AWS::Logs::LogGroup': {
      const name = named('LogGroupName', 512);
      return { Ref: name, Arn: arn('logs', `log-group:${name}:*`) };
    }
    case 'AWS::ECR::Repository': {
      const name = named('RepositoryName', 256).toLowerCase();
      return { Ref: name, Arn: arn('ecr', `repository/${name}`), RepositoryUri: `${account}.dkr.ecr.${region}.${urlSuffix}/${name}` };
    }
    case 'AWS::EKS::Cluster': {
      const name = named('Name', 100);
      return { Ref: name, Arn: arn('eks', `cluster/${name}`) };
    }
    case 'Custom::AWSCDK-EKS-Cluster': {
      const name = given ?? property('Config')?.name ?? `${logicalId}-${hash.slice(0, 32)}`;
      return { Ref: name, Arn: arn('eks', `cluster/${name}`) };
    }
    case 'AWS::EKS::Nodegroup': {
      const cluster = property('ClusterName');
      const name = given?.split('/').pop() ?? property('NodegroupName') ?? `${logicalId.slice(0, 27)}-${hash.slice(0, 12)}`;
      const id = `${cluster}/${name}`;
      return { Ref: id, Id: id, NodegroupName: name, ClusterName: cluster, Arn: arn('eks', `nodegroup/${id}/${uuid}`) };
    }
    case 'AWS::AutoScaling::AutoScalingGroup':
      return { Ref: named('AutoScalingGroupName', 255) };
    case 'AWS::EC2::LaunchTemplate':
      return { Ref: `lt-${hash.slice(0, 17)}`, LaunchTemplateId: `lt-${hash.slice(0, 17)}`, DefaultVersionNumber: '1', LatestVersionNumber: '1' };
    case 'AWS::SQS::Queue': {
      const name = named('QueueName', 80);
      return { Ref: `https://sqs.${region}.${urlSuffix}/${account}/${name}`, QueueName: name, Arn: arn('sqs', name) };
    }
    case 'AWS::SNS::Topic': {
      const name = named('TopicName', 256);
      return { Ref: arn('sns', name), TopicArn: arn('sns', name), TopicName: name };
    }
    case 'AWS::KMS::Key':
      return { Ref: uuid, KeyId: uuid, Arn: arn('kms', `key/${uuid}`) };
    default:
      return {};
  }
}
