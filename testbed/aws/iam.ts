import { Refused } from './errors';
import type { RequestContext } from './iam-conditions';
import { conditionsHold, glob } from './iam-conditions';
import { AWS_MANAGED_POLICIES } from './managed-policies';
import type { Resource, Template } from './template';
import type { Value } from './value';

export interface Decision {
  readonly allowed: boolean;
  /** Who may not do what on what, for an error message. */
  readonly reason: string;
}

interface Role {
  readonly trust: Value[];
  readonly statements: Value[];
  /** Attached policies whose text is not known here: they count as granting nothing. */
  readonly unknownPolicies: string[];
}

const POLICY_TYPES = ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy', 'AWS::IAM::RolePolicy'];

const list = (value: Value): Value[] => value === undefined ? [] : Array.isArray(value) ? value : [value];

/** The roles of a template and what their policies allow. */
export class Iam {
  private readonly resources = new Map<string, Resource>();
  private readonly roles = new Map<string, Role>();

  constructor(private readonly template: Template) {
    for (const role of template.resources('AWS::IAM::Role')) {
      this.resources.set(template.attribute(role.logicalId, 'Arn'), role);
    }
  }

  /** Whether the template has the role; what an imported role may do is not known here. */
  knows(roleArn: string | undefined): roleArn is string {
    return roleArn !== undefined && this.resources.has(roleArn);
  }

  allowed(roleArn: string, action: string, resource: string, context: RequestContext = {}): Decision {
    const role = this.role(roleArn);
    const matching = role.statements.filter(statement => applies(statement, action, resource, context));
    const allowed = matching.some(({ Effect }) => Effect === 'Allow') && !matching.some(({ Effect }) => Effect === 'Deny');
    const unknown = role.unknownPolicies.length ? ` (not evaluated: ${role.unknownPolicies.join(', ')})` : '';
    const keys = Object.keys(context).length ? ` with ${JSON.stringify(context)}` : '';
    return { allowed, reason: `${roleArn} is ${allowed ? '' : 'not '}allowed ${action} on ${resource}${keys}${unknown}` };
  }

  /** Whether the role's trust policy lets a service assume it. */
  trusts(roleArn: string, service: string, context: RequestContext = {}): Decision {
    const allowed = this.role(roleArn).trust.some(statement => statement.Effect === 'Allow'
      && list(statement.Action).some(action => glob(action, 'sts:AssumeRole'))
      && list(statement.Principal?.Service).includes(service)
      && conditionsHold(statement.Condition, context));
    return { allowed, reason: `${roleArn} ${allowed ? 'trusts' : 'does not trust'} ${service} with ${JSON.stringify(context)}` };
  }

  /** Throws with the reason when the role may not. */
  demand(who: string, ...decisions: Decision[]): void {
    const denied = decisions.find(decision => !decision.allowed);
    if (denied) {
      throw new Refused(who, `AccessDenied: ${denied.reason}`);
    }
  }

  private role(roleArn: string): Role {
    const resource = this.resources.get(roleArn);
    if (!resource) {
      throw new Refused(roleArn, 'is no role of the template', [...this.resources.keys()]);
    }
    const role = this.roles.get(roleArn) ?? this.read(resource);
    this.roles.set(roleArn, role);
    return role;
  }

  private read({ logicalId, properties }: Resource): Role {
    const name = this.template.ref(logicalId);
    const arns = list(properties.ManagedPolicyArns);
    const documents: Value[] = list(properties.Policies).map(policy => policy.PolicyDocument);
    const unknownPolicies = new Set<string>(arns);
    for (const policy of POLICY_TYPES.flatMap(type => this.template.resources(type))) {
      const arn = policy.type === 'AWS::IAM::ManagedPolicy' ? this.template.ref(policy.logicalId) : undefined;
      if ([...list(policy.properties.Roles), ...list(policy.properties.RoleName)].includes(name) || arns.includes(arn)) {
        documents.push(policy.properties.PolicyDocument);
        unknownPolicies.delete(arn ?? '');
      }
    }
    for (const arn of [...unknownPolicies]) {
      const actions = AWS_MANAGED_POLICIES[arn.split('/').pop()!];
      if (actions) {
        documents.push({ Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }] });
        unknownPolicies.delete(arn);
      }
    }
    return {
      trust: statements(properties.AssumeRolePolicyDocument),
      statements: documents.flatMap(statements),
      unknownPolicies: [...unknownPolicies],
    };
  }
}

function statements(document: Value): Value[] {
  return list((typeof document === 'string' ? JSON.parse(document) : document)?.Statement);
}

function applies(statement: Value, action: string, resource: string, context: RequestContext): boolean {
  const actions = (patterns: Value) => list(patterns).some(pattern => glob(pattern.toLowerCase(), action.toLowerCase()));
  const resources = (patterns: Value) => list(patterns).some(pattern => glob(pattern, resource));
  return (statement.Action ? actions(statement.Action) : !actions(statement.NotAction))
    && (statement.Resource ? resources(statement.Resource) : !resources(statement.NotResource))
    && conditionsHold(statement.Condition, context);
}
