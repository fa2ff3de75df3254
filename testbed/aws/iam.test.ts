import { Iam } from './iam';
import { glob } from './iam-conditions';
import { Template } from './template';
import type { Value } from './value';
import { HERE } from '../../test/sample-template';

const ROLE = 'arn:aws:iam::123456789012:role/r';

function role(statement: Value, more: Value = {}): Iam {
  return new Iam(new Template({
    Resources: {
      Role: { Type: 'AWS::IAM::Role', Properties: { RoleName: 'r', AssumeRolePolicyDocument: {}, ManagedPolicyArns: more.managed } },
      Policy: { Type: 'AWS::IAM::Policy', Properties: { Roles: [{ Ref: 'Role' }], PolicyDocument: more.text ?? { Statement: statement } } },
    },
  }, HERE));
}
const may = (iam: Iam, action: string, resource: string, context = {}) => iam.allowed(ROLE, action, resource, context).allowed;

test('matches actions without regard to case and resources with wildcards', () => {
  const iam = role({ Effect: 'Allow', Action: 'ssm:Send*', Resource: 'arn:aws:ec2:*:*:instance/*' });
  expect(may(iam, 'SSM:SendCommand', 'arn:aws:ec2:us-east-1:1:instance/i-1')).toBe(true);
  expect(may(iam, 'ssm:GetDocument', 'arn:aws:ec2:us-east-1:1:instance/i-1')).toBe(false);
  expect(may(iam, 'ssm:SendCommand', 'arn:aws:ssm:us-east-1:1:document/d')).toBe(false);
  expect(glob('a.c', 'abc')).toBe(false);
  expect(glob('a?c*', 'abcd')).toBe(true);
});

test('a denial wins', () => {
  const iam = role([{ Effect: 'Allow', Action: '*', Resource: '*' }, { Effect: 'Deny', NotAction: 'ecr:*', Resource: '*' }]);
  expect(may(iam, 'ecr:BatchGetImage', 'x')).toBe(true);
  expect(may(iam, 'ssm:SendCommand', 'x')).toBe(false);
});

test.each([
  [{ StringEquals: { 'ssm:resourceTag/team': ['a', 'b'] } }, { 'ssm:resourceTag/Team': 'b' }, true],
  [{ StringEquals: { 'ssm:resourceTag/team': 'a', 'ssm:resourceTag/cluster': 'c' } }, { 'ssm:resourceTag/team': 'a' }, false],
  [{ StringLike: { k: 'a*' } }, { k: 'abc' }, true],
  [{ StringNotEquals: { k: ['a', 'b'] } }, { k: 'b' }, false],
  [{ StringNotEquals: { k: 'a' } }, {}, true],
  [{ StringEqualsIfExists: { k: 'a' } }, {}, true],
  [{ 'ForAnyValue:StringEquals': { k: 'a' } }, { k: ['b', 'a'] }, true],
  [{ Null: { k: 'false' } }, { k: 'x' }, true],
  [{ ArnLike: { k: 'arn:aws:events:*:1:rule/*' } }, { k: 'arn:aws:events:us-east-1:1:rule/x' }, true],
  [{ ArnLike: { k: 'arn:aws:events:*:rule/*' } }, { k: 'arn:aws:events:us-east-1:1:rule/x' }, false],
])('condition %j with %j holds: %s', (condition, context, expected) => {
  expect(may(role({ Effect: 'Allow', Action: 'a:b', Resource: '*', Condition: condition }), 'a:b', 'x', context)).toBe(expected);
});

test('names a condition operator it does not know', () => {
  const iam = role({ Effect: 'Allow', Action: 'a:b', Resource: '*', Condition: { IpAddress: { k: '1' } } });
  expect(() => may(iam, 'a:b', 'x', { k: '1' })).toThrow('does not know the condition operator, got "IpAddress"');
});

test('reads a policy given as text', () => {
  const text = { 'Fn::Sub': '{"Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"StringEquals":{"tag/${AWS::StackName}":"yes"}}}]}' };
  expect(may(role({}, { text }), 'a:b', 'x', { 'tag/Demo': 'yes' })).toBe(true);
  expect(may(role({}, { text }), 'a:b', 'x', { 'tag/Demo': 'no' })).toBe(false);
});

test('knows the managed policies of a node role and names those it does not know', () => {
  const iam = role([], { managed: ['arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore', 'arn:aws:iam::aws:policy/Odd'] });
  expect(may(iam, 'ssmmessages:OpenControlChannel', '*')).toBe(true);
  expect(iam.allowed(ROLE, 'logs:PutLogEvents', 'g').reason)
    .toBe(`${ROLE} is not allowed logs:PutLogEvents on g (not evaluated: arn:aws:iam::aws:policy/Odd)`);
});
