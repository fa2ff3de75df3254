import { Refused } from './errors';
import type { Value } from './value';

/** A parameter of an SSM document, Command or Automation. */
export interface ParameterDefinition {
  readonly type: string;
  readonly default?: string | string[];
  readonly allowedPattern?: string;
  readonly allowedValues?: string[];
  readonly minChars?: number;
  readonly maxChars?: number;
  readonly interpolationType?: 'ENV_VAR';
}

/** Values by parameter name: a string, or a list for a StringList. */
export type ParameterValues = Record<string, string | string[]>;

/** `{{ Name }}`, also `{{ global:REGION }}`. */
export const NAME_IN_BRACES = /\{\{\s*([A-Za-z0-9_:.]+)\s*\}\}/g;

/** The API hands every value over as an array. */
export function fromApi(owner: string, definitions: Record<string, ParameterDefinition>, given: Record<string, string[]>): ParameterValues {
  return Object.fromEntries(Object.entries(given).map(([name, values]) => {
    if (!Array.isArray(values) || !values.every(value => typeof value === 'string')) {
      throw new Refused(owner, `parameter ${name} must be an array of strings`, values);
    }
    if (definitions[name]?.type === 'StringList') {
      return [name, values];
    }
    if (values.length !== 1) {
      throw new Refused(owner, `parameter ${name} takes exactly one value`, values);
    }
    return [name, values[0]];
  }));
}

/** Refuses what SSM refuses, and fills in the defaults. */
export function checkParameters(owner: string, definitions: Record<string, ParameterDefinition>, given: ParameterValues): ParameterValues {
  const unknown = Object.keys(given).filter(name => !(name in definitions));
  if (unknown.length > 0) {
    throw new Refused(owner, `unknown parameter, there are ${Object.keys(definitions).join(', ')}`, unknown);
  }
  return Object.fromEntries(Object.entries(definitions).map(([name, definition]) => {
    const value = given[name] ?? definition.default;
    if (value === undefined) {
      throw new Refused(owner, `parameter ${name} has no default and must be given`);
    }
    [value].flat().forEach(item => checkValue(`${owner}, parameter ${name}`, name, definition, item));
    return [name, value];
  }));
}

function checkValue(where: string, name: string, definition: ParameterDefinition, value: string): void {
  const { allowedPattern, allowedValues, minChars = 0, maxChars = Infinity } = definition;
  if (!/^[A-Za-z][A-Za-z0-9]*$/.test(name)) {
    throw new Refused(where, 'the agent takes names of letters and digits only', name);
  }
  if (allowedPattern !== undefined && !compile(where, allowedPattern).test(value)) {
    throw new Refused(where, `must match ${allowedPattern}`, value);
  }
  if (allowedValues && !allowedValues.includes(value)) {
    throw new Refused(where, `must be one of ${allowedValues.join(', ')}`, value);
  }
  if (value.length < minChars || value.length > maxChars) {
    throw new Refused(where, `must have ${minChars} to ${maxChars} characters`, value.length);
  }
}

// The service reads the pattern as Java, the agent as Go: Go knows no look-around and no back-reference.
function compile(where: string, pattern: string): RegExp {
  if (/\(\?(?!:)|\\[1-9]/.test(pattern)) {
    throw new Refused(where, 'allowedPattern must be valid in Java, Go and JavaScript (no look-around, back-reference or inline flag)', pattern);
  }
  // SSM searches: without both anchors anything may stand around the match.
  if (!pattern.startsWith('^') || !pattern.endsWith('$')) {
    throw new Refused(where, 'allowedPattern must be anchored with ^ and $', pattern);
  }
  return new RegExp(pattern);
}

/**
 * Puts values where their names stand in double braces, once, as the agent and Automation do: a string that is nothing
 * but `{{ Name }}` becomes the value itself, a list inside other text becomes JSON.
 */
export function substitute(input: Value, values: ParameterValues): Value {
  if (Array.isArray(input)) {
    return input.map(item => substitute(item, values));
  }
  if (input !== null && typeof input === 'object') {
    return Object.fromEntries(Object.entries(input).map(([key, item]) => [key, substitute(item, values)]));
  }
  if (typeof input !== 'string') {
    return input;
  }
  const alone = /^\{\{\s*([A-Za-z0-9_:.]+)\s*\}\}$/.exec(input)?.[1];
  if (alone !== undefined && alone in values) {
    return values[alone];
  }
  return input.replace(NAME_IN_BRACES, (text, name: string) => {
    const value = values[name];
    return value === undefined ? text : typeof value === 'string' ? value : JSON.stringify(value);
  });
}
