import { Refused } from './errors';
import type { Value } from './value';

/** Condition keys of a request, such as `iam:PassedToService` or `ssm:resourceTag/Name`. */
export type RequestContext = Record<string, string | string[]>;

type Test = (pattern: string, value: string) => boolean;

const arnLike: Test = (pattern, value) => {
  const split = (arn: string) => [...arn.split(':').slice(0, 5), arn.split(':').slice(5).join(':')];
  const parts = split(value);
  return split(pattern).every((part, index) => glob(part, parts[index]));
};

const TESTS: Record<string, Test> = {
  StringEquals: (pattern, value) => pattern === value,
  StringEqualsIgnoreCase: (pattern, value) => pattern.toLowerCase() === value.toLowerCase(),
  StringLike: glob,
  ArnEquals: arnLike,
  ArnLike: arnLike,
  Bool: (pattern, value) => pattern.toLowerCase() === value.toLowerCase(),
};

/** IAM's `*` and `?`. */
export function glob(pattern: string, value: string): boolean {
  if (pattern.includes('${')) {
    throw new Refused('iam', 'this stand-in does not know policy variables', pattern);
  }
  const expression = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.');
  return new RegExp(`^${expression}$`, 's').test(value);
}

/** Operators and keys are ANDed, the values of one key ORed. */
export function conditionsHold(condition: Value, context: RequestContext): boolean {
  return Object.entries<Value>(condition ?? {}).every(([operator, keys]) =>
    Object.entries<Value>(keys).every(([key, patterns]) => holds(operator, patterns, lookUp(context, key))));
}

function lookUp(context: RequestContext, key: string): string[] | undefined {
  const found = Object.keys(context).find(name => name.toLowerCase() === key.toLowerCase());
  return found === undefined ? undefined : [context[found]].flat();
}

function holds(operator: string, patterns: Value, values: string[] | undefined): boolean {
  const allowed: string[] = [patterns].flat().map(String);
  if (operator === 'Null') {
    return allowed.includes(String(values === undefined));
  }
  const [, quantifier, negatedName, ifExists] = /^(?:(ForAllValues|ForAnyValue):)?(.*?)(IfExists)?$/.exec(operator)!;
  const negated = negatedName.includes('Not');
  const test = TESTS[negatedName.replace('Not', '')];
  if (!test) {
    throw new Refused('iam', 'this stand-in does not know the condition operator', operator);
  }
  if (values === undefined) {
    return negated || ifExists !== undefined || quantifier === 'ForAllValues';
  }
  const one = (value: string) => allowed.some(pattern => test(pattern, value)) !== negated;
  return quantifier === 'ForAnyValue' ? values.some(one) : values.every(one);
}
