import { parsePattern, publishedMetrics } from './metric-filters';
import { Template } from './template';

const matches = (pattern: string, line: object) => parsePattern('Filter', pattern)(line);

test.each<[string, object, boolean]>([
  ['{ $.a = "x" }', { a: 'x' }, true],
  ['{ $.a = "x" }', { a: 'y' }, false],
  ['{ $.a = "x" }', {}, false],
  ['{ $.a != "x" }', { a: 'y' }, true],
  ['{ $.a != "x" }', {}, false],
  ['{ $.a = "*" }', { a: 'anything at all' }, true],
  ['{ $.a = "*" }', { a: 3 }, false],
  ['{ $.a = "10.0.*" }', { a: '10x0.1' }, false],
  ['{ $.a.b >= 3 }', { a: { b: 3 } }, true],
  ['{ $.a.b > 3 }', { a: { b: 3 } }, false],
  ['{ $.a >= 0 }', { a: '3' }, false],
  ['{ $.a IS TRUE }', { a: true }, true],
  ['{ $.a IS TRUE }', { a: 'true' }, false],
  ['{ $.a NOT EXISTS }', {}, true],
  ['{ $.a = 1 && $.b = 2 || $.c = 3 }', { a: 1, c: 3 }, true],
  ['{ $.a = 1 && ($.b = 2 || $.c = 3) }', { c: 3 }, false],
  ['{ ($.a = 1) && ($.b = 2) }', { a: 1, b: 2 }, true],
])('%s on %j is %s', (pattern, line, expected) => {
  expect(matches(pattern, line)).toBe(expected);
});

test.each(['', '{ }', '$.a = 1', '{ $.a }', '{ a = 1 }', '{ $.a = x }', '{ $.a > "x" }', '{ $.a = 1 } more', '{ $.a =~ 1 }', '{ $.a IS MAYBE }', '{ ($.a = 1 }'])(
  'refuses %p', pattern => {
    expect(() => parsePattern('Filter', pattern)).toThrow(/^Filter: filter pattern: /);
  });

test('publishes a field or a constant, with dimensions from fields, and nothing of a line that lacks one of them', () => {
  const transformation = { MetricNamespace: 'N', MetricName: 'M', MetricValue: '$.bytes', Unit: 'Bytes', Dimensions: [{ Key: 'Owner', Value: '$.owner' }] };
  const template = new Template({
    Resources: { Filter: { Type: 'AWS::Logs::MetricFilter', Properties: { LogGroupName: 'group', FilterPattern: '{ $.outcome = "pulled" }', MetricTransformations: [transformation] } } },
  }, { account: '123456789012', region: 'us-east-1', stackName: 'Stack' });
  const lines = [{ outcome: 'pulled', owner: 'a', bytes: 7 }, { outcome: 'pulled', owner: 'a' }, { outcome: 'pulled', bytes: 7 }, { outcome: 'failed', owner: 'a', bytes: 7 }]
    .map(line => ({ timestamp: 5, stream: 's', line }));
  expect(publishedMetrics(template, 'group', lines)).toEqual([{ namespace: 'N', name: 'M', dimensions: { Owner: 'a' }, value: 7, unit: 'Bytes', timestamp: 5 }]);
  expect(publishedMetrics(template, 'other', lines)).toEqual([]);
});
