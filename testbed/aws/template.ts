import { Refused } from './errors';
import { physicalValues } from './physical-values';
import type { Environment, Value } from './value';

export interface Resource {
  readonly logicalId: string;
  readonly type: string;
  /** Each resolved when it is read: a template may hold much that this stand-in need not know. */
  readonly properties: Record<string, Value>;
}

const NO_VALUE = Symbol('AWS::NoValue');

/** A synthesised CloudFormation template, read as CloudFormation would. */
export class Template {
  readonly partition: string;
  readonly urlSuffix: string;

  constructor(private readonly source: Value, readonly environment: Environment) {
    const region = environment.region;
    this.partition = region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
    this.urlSuffix = this.partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com';
  }

  /** The deployed resources of a type. */
  resources(type: string): Resource[] {
    return Object.entries<Value>(this.source.Resources ?? {})
      .filter(([, resource]) => resource.Type === type && (!resource.Condition || this.condition(resource.Condition)))
      .map(([logicalId, resource]) => ({ logicalId, type, properties: this.lazily(resource.Properties ?? {}) }));
  }

  ref(logicalId: string): string {
    return this.resolve({ Ref: logicalId });
  }

  attribute(logicalId: string, attribute: string): string {
    return this.resolve({ 'Fn::GetAtt': [logicalId, attribute] });
  }

  resolve(value: Value): Value {
    const resolved = this.resolved(value);
    return resolved === NO_VALUE ? undefined : resolved;
  }

  private lazily(properties: Record<string, Value>): Record<string, Value> {
    return Object.defineProperties({}, Object.fromEntries(Object.keys(properties).map(name =>
      [name, { enumerable: true, get: () => this.resolve(properties[name]) }])));
  }

  private resolved(value: Value): Value {
    if (Array.isArray(value)) {
      return value.map(item => this.resolved(item)).filter(item => item !== NO_VALUE);
    }
    if (value === null || typeof value !== 'object') {
      return value;
    }
    const keys = Object.keys(value);
    if (keys.length === 1 && (keys[0] === 'Ref' || keys[0].startsWith('Fn::'))) {
      return this.intrinsic(keys[0], value[keys[0]]);
    }
    return Object.fromEntries(Object.entries(value)
      .map(([key, item]) => [key, this.resolved(item)])
      .filter(([, item]) => item !== NO_VALUE));
  }

  private intrinsic(name: string, argument: Value): Value {
    switch (name) {
      case 'Ref':
        return this.reference(argument);
      case 'Fn::GetAtt': {
        const [logicalId, ...attribute] = Array.isArray(argument) ? argument : argument.split('.');
        return this.physical(logicalId, this.resolved(attribute).join('.'));
      }
      case 'Fn::Join':
        return this.resolved(argument[1]).map(String).join(argument[0]);
      case 'Fn::Sub':
        return Array.isArray(argument) ? this.substitute(argument[0], argument[1]) : this.substitute(argument, {});
      case 'Fn::Select':
        return this.resolved(argument[1])[Number(this.resolved(argument[0]))];
      case 'Fn::Split':
        return this.resolved(argument[1]).split(argument[0]);
      case 'Fn::Base64':
        return Buffer.from(this.resolved(argument)).toString('base64');
      case 'Fn::If':
        return this.resolved(this.condition(argument[0]) ? argument[1] : argument[2]);
      case 'Fn::FindInMap': {
        const [map, first, second] = this.resolved(argument);
        return this.source.Mappings?.[map]?.[first]?.[second]
          ?? this.refuse('Fn::FindInMap', 'no such entry in Mappings', [map, first, second]);
      }
      default:
        return this.refuse(name, 'this stand-in does not know the intrinsic function', argument);
    }
  }

  private reference(name: string): Value {
    const { account, region, stackName, overrides } = this.environment;
    const pseudo: Record<string, Value> = {
      'AWS::AccountId': account,
      'AWS::Region': region,
      'AWS::Partition': this.partition,
      'AWS::URLSuffix': this.urlSuffix,
      'AWS::StackName': stackName,
      'AWS::StackId': `arn:${this.partition}:cloudformation:${region}:${account}:stack/${stackName}/51af3dc0-da77-11e4-872e-1234567db123`,
      'AWS::NoValue': NO_VALUE,
    };
    if (name in pseudo) {
      return pseudo[name];
    }
    const parameter = this.source.Parameters?.[name];
    return parameter
      ? overrides?.[name] ?? parameter.Default ?? this.refuse(name, 'the parameter has no default: give it in overrides')
      : this.physical(name);
  }

  private physical(logicalId: string, attribute?: string): string {
    const key = attribute ? `${logicalId}.${attribute}` : logicalId;
    const resource = this.source.Resources?.[logicalId] ?? this.refuse(key, 'is not in the template');
    const known = physicalValues({
      logicalId,
      type: resource.Type,
      name: this.environment.overrides?.[logicalId],
      property: name => this.resolve(resource.Properties?.[name]),
    }, this.environment, this.partition, this.urlSuffix);
    return this.environment.overrides?.[key] ?? known[attribute ?? 'Ref']
      ?? this.refuse(key, `this stand-in knows no such value of a ${resource.Type}: give it in overrides`);
  }

  private substitute(text: string, variables: Record<string, Value>): string {
    return text.replace(/\$\{(!?)([^}]*)\}/g, (_, literal: string, name: string) => {
      if (literal) {
        return `\${${name}}`;
      }
      if (name in variables) {
        return String(this.resolved(variables[name]));
      }
      return String(name.includes('.') ? this.intrinsic('Fn::GetAtt', name) : this.reference(name));
    });
  }

  private condition(condition: Value): boolean {
    if (typeof condition === 'string') {
      const definition = this.source.Conditions?.[condition] ?? this.refuse(condition, 'is not in Conditions');
      return this.condition(definition);
    }
    const [name, argument] = Object.entries<Value>(condition)[0];
    switch (name) {
      case 'Condition': return this.condition(argument);
      case 'Fn::Equals': return this.resolved(argument[0]) === this.resolved(argument[1]);
      case 'Fn::Not': return !this.condition(argument[0]);
      case 'Fn::And': return argument.every((item: Value) => this.condition(item));
      case 'Fn::Or': return argument.some((item: Value) => this.condition(item));
      default: return this.refuse(name, 'this stand-in does not know the condition function', argument);
    }
  }

  private refuse(name: string, rule: string, value?: unknown): never {
    throw new Refused(`${this.environment.stackName}.${name}`, rule, value);
  }
}
