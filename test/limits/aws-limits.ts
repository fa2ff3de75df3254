import { Template } from '../../testbed/aws/template';
import type { Environment } from '../../testbed/aws/value';

/** The limits of AWS that a prefetcher of any size must stay within; each line says which one is broken, and where. */
export function brokenLimits(source: any, environment: Environment): string[] {
  const template = new Template(source, environment);
  return [...ofDocuments(template), ...ofRules(template, source), ...ofAssociations(template), ...ofPolicies(template)];
}

/** https://docs.aws.amazon.com/general/latest/gr/ssm.html */
function ofDocuments(template: Template): string[] {
  const documents = template.resources('AWS::SSM::Document');
  const command = (name: string) => documents.find(document => template.ref(document.logicalId) === name)?.properties.Content;
  return documents.flatMap(({ logicalId, properties: { DocumentType, Content } }) => [
    ...atMost(65_536, 'characters of document', logicalId, JSON.stringify(Content).length),
    ...(DocumentType === 'Automation' ? Content.mainSteps : []).flatMap(({ inputs }: any) => [
      ...atMost(65_536, 'characters of document and run-time parameters', logicalId, JSON.stringify([command(inputs.DocumentName), inputs.Parameters]).length),
      ...ofTargets(logicalId, inputs.Targets.map(({ Key, Values }: any) => [Key, Values])),
    ]),
  ]);
}

/** https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_Target.html */
function ofTargets(logicalId: string, targets: [string, string[]][]): string[] {
  return [
    ...atMost(5, 'target keys', logicalId, targets.length),
    ...targets.flatMap(([key, values]) => [
      ...atMost(50, `values of ${key}`, logicalId, values.length),
      ...atMost(163, `characters of ${key}`, logicalId, key.length),
    ]),
  ];
}

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html */
function ofRules(template: Template, source: any): string[] {
  const rules = template.resources('AWS::Events::Rule').filter(rule => rule.properties.EventPattern?.['detail-type']);
  const wildcards = rules.filter(rule => JSON.stringify(rule.properties.EventPattern).includes('"wildcard"'));
  return [
    ...atMost(30, 'rules with wildcards', 'the event bus', wildcards.length),
    ...rules.flatMap(({ logicalId, properties: { EventPattern, Targets } }) => {
      // The quota says 2,048, the API takes 4,096: names whose length isn't known at synth may use some of the slack.
      const names = source.Resources[logicalId].Properties.EventPattern.detail['repository-name'] ?? [];
      const limit = names.every((name: unknown) => typeof name === 'string') ? 2_048 : 4_096;
      return [
        ...atMost(limit, 'characters of pattern', logicalId, JSON.stringify(EventPattern).length),
        ...atMost(5, 'targets', logicalId, Targets.length),
        ...Targets.flatMap((target: any) => atMost(8_192, 'characters of input', logicalId, JSON.stringify(target.InputTransformer ?? '').length)),
      ];
    }),
  ];
}

function ofAssociations(template: Template): string[] {
  return template.resources('AWS::SSM::Association').flatMap(({ logicalId, properties: { Targets, ScheduleExpression, Parameters } }) => [
    ...ofTargets(logicalId, Targets.map(({ Key, Values }: any) => [Key, Values])),
    ...atMost(65_536, 'characters of run-time parameters', logicalId, JSON.stringify(Parameters ?? {}).length),
    ...(Number(/^rate\((\d+) minutes\)$/.exec(ScheduleExpression)?.[1]) >= 30 ? [] : [`${logicalId}: a rate is at least 30 minutes, got ${ScheduleExpression}`]),
  ]);
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
function ofPolicies(template: Template): string[] {
  const managed = template.resources('AWS::IAM::ManagedPolicy');
  const inline = template.resources('AWS::IAM::Policy');
  const attachedTo = (policies: typeof managed, role: string) => policies.filter(policy => policy.properties.Roles?.includes(role));
  const roles = new Set([...managed, ...inline].flatMap(policy => policy.properties.Roles ?? []));
  const own = new Map(template.resources('AWS::IAM::Role').map(role => [template.ref(role.logicalId), role.properties.ManagedPolicyArns?.length ?? 0]));
  return [
    // CloudFormation refuses a list of roles that names one twice.
    ...[...managed, ...inline].flatMap(({ logicalId, properties: { Roles = [] } }) => atMost(new Set(Roles).size, 'different roles', logicalId, Roles.length)),
    ...managed.flatMap(({ logicalId, properties }) => atMost(6_144, 'characters of managed policy', logicalId, characters(properties.PolicyDocument))),
    ...[...roles].flatMap(role => [
      ...atMost(10, 'managed policies', role, (own.get(role) ?? 0) + attachedTo(managed, role).length),
      ...atMost(10_240, 'characters of inline policies', role, attachedTo(inline, role).reduce((sum, policy) => sum + characters(policy.properties.PolicyDocument), 0)),
    ]),
  ];
}

function characters(policyDocument: unknown): number {
  return (typeof policyDocument === 'string' ? policyDocument : JSON.stringify(policyDocument)).length;
}

function atMost(limit: number, what: string, where: string, value: number): string[] {
  return value <= limit ? [] : [`${where}: ${what} are at most ${limit}, got ${value}`];
}
