import { atPath, checkInputTransformer, transformInput } from './input-transformer';

const RULE = 'arn:aws:events:us-east-1:1:rule/r';
const event = { 'detail-type': 'Push', 'time': 't', 'detail': { 'image-tag': 'v1', 'size': 3, 'layers': [{ d: 'x' }] } };
const filled = (InputTemplate: string, InputPathsMap: Record<string, string> = { tag: '$.detail.image-tag', size: '$.detail.size', all: '$.detail', none: '$.detail.nothing' }) =>
  transformInput({ InputPathsMap, InputTemplate }, event, RULE);

test('a placeholder outside quotes becomes JSON', () => {
  expect(filled('{"Tag":[<tag>],"Size":<size>,"All":<all>}'))
    .toBe('{"Tag":["v1"],"Size":3,"All":{"image-tag":"v1","size":3,"layers":[{"d":"x"}]}}');
});

test('a placeholder inside a string is put in as it is, an object without its quotes', () => {
  expect(filled('{"Ref":["host/\\"repo\\":<tag>, <size>, <all>"]}'))
    .toBe('{"Ref":["host/\\"repo\\":v1, 3, {image-tag:v1,size:3,layers:[{d:x}]}"]}');
});

test('a path the event does not have is an empty string', () => {
  expect(filled('{"Tag":[<none>],"Text":"-<none>-"}')).toBe('{"Tag":[""],"Text":"--"}');
});

test('fills in the predefined variables', () => {
  expect(filled('"<aws.events.rule-name> <aws.events.rule-arn> <aws.events.event.ingestion-time>"')).toBe(`"r ${RULE} t"`);
  expect(JSON.parse(filled('<aws.events.event.json>'))).toEqual(event);
});

test('follows dashes and indices', () => {
  expect(atPath(event, '$.detail.layers[0].d')).toBe('x');
  expect(atPath(event, '$')).toBe(event);
});

test.each([
  [{ InputTemplate: '<nobody>' }, 'InputTemplate contains an invalid placeholder, got "nobody"'],
  [{ InputTemplate: '"x"', InputPathsMap: { 'a.b': '$.a' } }, 'a key of InputPathsMap has letters, digits, _ and - only, got "a.b"'],
  [{ InputTemplate: '"x"', InputPathsMap: { a: "$['a']" } }, 'InputPathsMap.a must be a JSON path in dot notation'],
  [{ InputTemplate: 'x'.repeat(8193) }, 'InputTemplate has 1 to 8192 characters, got 8193'],
])('refuses what PutTargets refuses: %#', (transformer, message) => {
  expect(() => checkInputTransformer('Rule.Target', transformer)).toThrow(`Rule.Target: ${message}`);
});
