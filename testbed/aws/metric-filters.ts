import { Refused } from './errors';
import type { Template } from './template';
import type { Value } from './value';

/** A line that arrived in a log group. */
export interface LoggedLine {
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly stream: string;
  readonly line: Record<string, any>;
}

export interface Datapoint {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Record<string, string>;
  readonly value: number;
  readonly unit?: string;
  readonly timestamp: number;
}

/** What the metric filters of a template publish of these lines of one log group. */
export function publishedMetrics(template: Template, group: string, lines: readonly LoggedLine[]): Datapoint[] {
  const filters = template.resources('AWS::Logs::MetricFilter').filter(({ properties }) => properties.LogGroupName === group);
  return filters.flatMap(({ logicalId, properties }) => {
    const matches = parsePattern(logicalId, properties.FilterPattern);
    const matching = lines.filter(({ line }) => matches(line));
    return properties.MetricTransformations.flatMap((transformation: Value) => matching.flatMap(line => datapoint(transformation, line)));
  });
}

/** CloudWatch publishes nothing of a line that lacks the value or a dimension. */
function datapoint(transformation: Value, { line, timestamp }: LoggedLine): Datapoint[] {
  const value = Number(measured(line, transformation.MetricValue));
  const dimensions = Object.fromEntries((transformation.Dimensions ?? []).map(({ Key, Value: field }: Value) => [Key, fieldOf(line, field)]));
  if (Number.isNaN(value) || Object.values(dimensions).includes(undefined)) {
    return [];
  }
  return [{ namespace: transformation.MetricNamespace, name: transformation.MetricName, dimensions, value, unit: transformation.Unit, timestamp }];
}

function measured(line: Record<string, any>, value: string): unknown {
  return value.startsWith('$') ? fieldOf(line, value) : value;
}

function fieldOf(line: Record<string, any>, selector: string): any {
  return selector.slice(2).split('.').reduce((object: any, name) => object?.[name], line);
}

type Predicate = (line: Record<string, any>) => boolean;

const TOKENS = /\s*(&&|\|\||!=|<=|>=|[=<>(){}]|"[^"]*"|\$(?:\.\w+)+|[\w.-]+)/gy;

/**
 * A pattern for JSON: fields against texts with `*` and numbers, `IS TRUE`, `NOT EXISTS`, `&&`, `||`, parentheses. It knows no arrays and no
 * regular expressions.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
 */
export function parsePattern(owner: string, pattern: string): Predicate {
  const refuse = (what: string): never => {
    throw new Refused(owner, `filter pattern: ${what}`, pattern);
  };
  if (pattern.length > 1024) {
    refuse('at most 1,024 characters');
  }
  const tokens: string[] = [];
  TOKENS.lastIndex = 0;
  for (let at = 0; at < pattern.trimEnd().length; at = TOKENS.lastIndex) {
    TOKENS.lastIndex = at;
    const match = TOKENS.exec(pattern) ?? refuse(`not understood: ${pattern.slice(at)}`);
    tokens.push(match[1]);
  }
  const take = (expected?: string) => {
    const token = tokens.shift();
    if (token === undefined || (expected !== undefined && token !== expected)) {
      refuse(`${expected ?? 'something'} is expected, not ${token ?? 'the end'}`);
    }
    return token!;
  };
  const either = (): Predicate => {
    const parts = [both()];
    while (tokens[0] === '||') {
      take();
      parts.push(both());
    }
    return line => parts.some(part => part(line));
  };
  const both = (): Predicate => {
    const parts = [one()];
    while (tokens[0] === '&&') {
      take();
      parts.push(one());
    }
    return line => parts.every(part => part(line));
  };
  const one = (): Predicate => {
    if (tokens[0] === '(') {
      take();
      const inner = either();
      take(')');
      return inner;
    }
    const selector = take();
    if (!selector.startsWith('$')) {
      refuse(`a field is expected, not ${selector}`);
    }
    const operator = take();
    if (operator === 'IS') {
      const wanted = ({ TRUE: true, FALSE: false, NULL: null } as Record<string, unknown>)[take()] ?? refuse('IS takes TRUE, FALSE or NULL');
      return line => fieldOf(line, selector) === wanted;
    }
    if (operator === 'NOT') {
      take('EXISTS');
      return line => fieldOf(line, selector) === undefined;
    }
    return comparison(selector, operator, take());
  };
  const comparison = (selector: string, operator: string, operand: string): Predicate => {
    if (operand.startsWith('"')) {
      if (operator !== '=' && operator !== '!=') {
        refuse(`a text is compared by = or !=, not ${operator}`);
      }
      const expression = new RegExp(`^${operand.slice(1, -1).split('*').map(part => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`, 's');
      return line => typeof fieldOf(line, selector) === 'string' && expression.test(fieldOf(line, selector)) === (operator === '=');
    }
    const right = Number(operand);
    if (Number.isNaN(right)) {
      refuse(`a text in quotes or a number is expected, not ${operand}`);
    }
    return line => {
      const left = fieldOf(line, selector);
      if (typeof left !== 'number') {
        return false;
      }
      switch (operator) {
        case '=': return left === right;
        case '!=': return left !== right;
        case '<': return left < right;
        case '>': return left > right;
        case '<=': return left <= right;
        case '>=': return left >= right;
        default: return refuse(`there is no operator ${operator}`);
      }
    };
  };

  take('{');
  const whole = either();
  take('}');
  if (tokens.length > 0) {
    refuse(`nothing is expected after the }, got ${tokens.join(' ')}`);
  }
  return whole;
}
