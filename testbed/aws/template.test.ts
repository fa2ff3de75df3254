import { Template } from './template';
import { HERE } from '../../test/sample-template';

const deployed = (source: object, overrides?: Record<string, string>, region = HERE.region) => new Template(source, { ...HERE, region, overrides });
const resolved = (value: unknown, source: object = {}) => deployed(source).resolve(value);

test('joins, selects, splits and encodes', () => {
  expect(resolved({ 'Fn::Join': ['-', ['a', { Ref: 'AWS::Region' }]] })).toBe('a-us-east-1');
  expect(resolved({ 'Fn::Select': [1, { 'Fn::Split': ['/', 'cluster/gpu'] }] })).toBe('gpu');
  expect(resolved({ 'Fn::Base64': { 'Fn::Sub': 'in ${AWS::Region}' } })).toBe(Buffer.from('in us-east-1').toString('base64'));
});

test('substitutes in both forms of Fn::Sub and leaves ${!literals}', () => {
  const source = { Resources: { Role: { Type: 'AWS::IAM::Role', Properties: { RoleName: 'r' } } } };
  expect(resolved({ 'Fn::Sub': '${Role} ${Role.Arn} ${!Bash}' }, source)).toBe('r arn:aws:iam::123456789012:role/r ${Bash}');
  expect(resolved({ 'Fn::Sub': ['${Role}/${Mine}', { Mine: { Ref: 'AWS::StackName' } }] }, source)).toBe('r/Demo');
});

test('knows the partition and its host names from the region', () => {
  expect(deployed({}, {}, 'cn-north-1').resolve({ 'Fn::Sub': '${AWS::Partition} ${AWS::URLSuffix}' })).toBe('aws-cn amazonaws.com.cn');
  expect(deployed({}, {}, 'us-gov-west-1').resolve({ 'Fn::Sub': '${AWS::Partition} ${AWS::URLSuffix}' })).toBe('aws-us-gov amazonaws.com');
});

test('drops AWS::NoValue and follows conditions', () => {
  const source = {
    Conditions: { Here: { 'Fn::Equals': [{ Ref: 'AWS::Region' }, 'us-east-1'] }, Away: { 'Fn::Not': [{ Condition: 'Here' }] } },
    Resources: { Rule: { Type: 'AWS::Events::Rule', Condition: 'Away' } },
  };
  expect(resolved({ a: { 'Fn::If': ['Here', 1, 2] }, b: { Ref: 'AWS::NoValue' }, c: [{ Ref: 'AWS::NoValue' }, 3] }, source)).toEqual({ a: 1, c: [3] });
  expect(deployed(source).resources('AWS::Events::Rule')).toEqual([]);
});

test('gives a resource the same realistic values every time', () => {
  const source = {
    Resources: {
      Document: { Type: 'AWS::SSM::Document' },
      Repository: { Type: 'AWS::ECR::Repository' },
      Cluster: { Type: 'AWS::EKS::Cluster', Properties: { Name: 'c' } },
      Group: { Type: 'AWS::EKS::Nodegroup', Properties: { ClusterName: { Ref: 'Cluster' }, NodegroupName: 'g' } },
      Log: { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: '/l' } },
    },
  };
  expect(deployed(source).ref('Document')).toMatch(/^Demo-Document-[0-9A-F]{12}$/);
  expect(deployed(source).ref('Document')).toBe(deployed(source).ref('Document'));
  expect(deployed(source).ref('Repository')).toMatch(/^demo-repository-[0-9a-f]{12}$/);
  expect(deployed(source).ref('Group')).toBe('c/g');
  expect(deployed(source).attribute('Group', 'NodegroupName')).toBe('g');
  expect(deployed(source).attribute('Log', 'Arn')).toBe('arn:aws:logs:us-east-1:123456789012:log-group:/l:*');
});

test('takes overrides for what only a deployment knows', () => {
  const source = { Parameters: { Ami: { Type: 'String' } }, Resources: { Role: { Type: 'AWS::IAM::Role' }, Thing: { Type: 'Custom::Thing' } } };
  const template = deployed(source, { 'Ami': 'ami-1', 'Thing.Out': 'x', 'Role': 'mine' });
  expect(template.resolve([{ Ref: 'Ami' }, { 'Fn::GetAtt': 'Thing.Out' }])).toEqual(['ami-1', 'x']);
  expect(template.attribute('Role', 'Arn')).toBe('arn:aws:iam::123456789012:role/mine');
  expect(() => deployed(source).ref('Ami')).toThrow('Demo.Ami: the parameter has no default: give it in overrides');
  expect(() => deployed(source).attribute('Thing', 'Out')).toThrow('Demo.Thing.Out: this stand-in knows no such value of a Custom::Thing');
});

test('names an intrinsic, a condition function or a resource it does not know', () => {
  expect(() => resolved({ 'Fn::ImportValue': 'other' })).toThrow('Demo.Fn::ImportValue: this stand-in does not know the intrinsic function, got "other"');
  expect(() => resolved({ 'Fn::If': ['C', 1, 2] }, { Conditions: { C: { 'Fn::Odd': [] } } })).toThrow('Fn::Odd');
  expect(() => resolved({ Ref: 'Nobody' })).toThrow('Demo.Nobody: is not in the template');
});
