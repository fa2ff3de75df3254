import { renderCommand, SsmDocument } from './document';
import { fromApi, substitute } from './parameters';
import type { Value } from './value';

function document(parameters: Value, inputs: Value = { runCommand: ['true'] }): SsmDocument {
  return new SsmDocument('Doc', 'Command', { schemaVersion: '2.2', parameters, mainSteps: [{ action: 'aws:runShellScript', precondition: { StringEquals: ['platformType', 'Linux'] }, inputs }] }, 'Document');
}
const given = (definition: Value, value?: string) => document({ Name: { type: 'String', ...definition } }).withDefaults(value === undefined ? {} : { Name: value });
const agent = { platform: 'Linux', version: 'current' as const, env: { AWS_SSM_REGION_NAME: 'r' } };

test.each([
  [{}, undefined, 'Doc: parameter Name has no default and must be given'],
  [{ allowedPattern: '^[a-z]+$' }, 'a;reboot', 'Doc, parameter Name: must match ^[a-z]+$, got "a;reboot"'],
  [{ allowedPattern: '^[a-z]+$' }, 'a\n', 'must match ^[a-z]+$'],
  [{ allowedPattern: '^[a-z]+$', default: 'A' }, undefined, 'must match ^[a-z]+$, got "A"'],
  [{ allowedPattern: '[a-z]+' }, 'a', 'allowedPattern must be anchored'],
  [{ allowedPattern: '^(?!x)a$' }, 'a', 'allowedPattern must be valid in Java, Go and JavaScript'],
  [{ allowedValues: ['a', 'b'] }, 'c', 'must be one of a, b, got "c"'],
  [{ minChars: 2 }, 'a', 'must have 2 to Infinity characters, got 1'],
  [{ maxChars: 2 }, 'abc', 'must have 0 to 2 characters, got 3'],
])('refuses a parameter %j with value %j', (definition, value, message) => {
  expect(() => given(definition, value)).toThrow(message);
});

test('refuses an unknown parameter, several values for a string, a value that is no array', () => {
  expect(() => document({ A: { type: 'String' } }).withDefaults({ A: 'x', B: 'y' })).toThrow('Doc: unknown parameter, there are A, got ["B"]');
  expect(() => fromApi('Doc', { A: { type: 'String' } }, { A: ['x', 'y'] })).toThrow('Doc: parameter A takes exactly one value');
  expect(() => fromApi('Doc', {}, { A: 'x' } as Value)).toThrow('Doc: parameter A must be an array of strings, got "x"');
  expect(fromApi('Doc', { L: { type: 'StringList' } }, { L: ['x', 'y'] })).toEqual({ L: ['x', 'y'] });
});

test('refuses a name that the agent would drop', () => {
  expect(() => document({ under_score: { type: 'String', default: '' } }).withDefaults({})).toThrow('letters and digits only, got "under_score"');
});

test('counts run-time parameters into the 64 KB', () => {
  const big = document({ Name: { type: 'String' } }, { runCommand: ['x'.repeat(60_000)] });
  expect(big.withDefaults({ Name: 'x'.repeat(5_000) })).toBeDefined();
  expect(() => big.withDefaults({ Name: 'x'.repeat(6_000) })).toThrow('together have at most 65536 bytes');
});

test('refuses double braces that hold no parameter', () => {
  expect(() => document({}, { runCommand: ['echo {{ nobody }}'] })).toThrow('InvalidDocumentContent: undefined parameter, got "nobody"');
  expect(() => document({}, { runCommand: ["print({'a': {}})".replace('{}', '{{}}')] })).toThrow('double braces may only hold a parameter name');
});

test('renders as the agent does: values as text and in the environment', () => {
  const doc = document({ Image: { type: 'String', interpolationType: 'ENV_VAR' }, Plain: { type: 'String', default: 'p' } },
    { timeoutSeconds: '{{ Plain }}', runCommand: ['echo {{Image}}', 'echo "{{ Image }}" {{ Plain }}'] });
  const values = doc.withDefaults({ Image: 'a:1' });
  expect(renderCommand(doc, values, agent)).toEqual({ script: 'echo a:1\necho "a:1" p\n', env: { AWS_SSM_REGION_NAME: 'r', SSM_Image: 'a:1' }, timeoutSeconds: 3600 });
  expect(renderCommand(doc, values, { ...agent, version: 'old' })!.env).toEqual({ AWS_SSM_REGION_NAME: 'r' });
});

test('a list that stands alone stays a list, inside text it becomes JSON', () => {
  expect(substitute({ a: '{{ L }}', b: ['x {{ L }}'] }, { L: ['1', '2'] })).toEqual({ a: ['1', '2'], b: ['x ["1","2"]'] });
});

test('a value is not searched for further parameters', () => {
  const doc = document({ A: { type: 'String' }, B: { type: 'String' } }, { runCommand: ['{{ A }} {{ B }}'] });
  expect(renderCommand(doc, { A: '{{ B }}', B: 'b' }, agent)!.script).toBe('{{ B }} b\n');
});

test.each([['4', 3600], ['5', 5], ['172800', 172800], ['172801', 3600], ['soon', 3600]])('a step with timeoutSeconds %s ends after %d s', (timeoutSeconds, expected) => {
  expect(renderCommand(document({}, { timeoutSeconds, runCommand: ['true'] }), {}, agent)!.timeoutSeconds).toBe(expected);
});

test('leaves other platforms alone', () => {
  expect(renderCommand(document({}), {}, { ...agent, platform: 'Windows' })).toBeUndefined();
});
