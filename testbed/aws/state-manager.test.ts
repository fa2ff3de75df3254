import type { Value } from './value';
import { deploy, FakeNode, pushOf } from '../../test/sample-template';

const DISPATCH_ROLE = { 'Fn::GetAtt': ['DispatchRole', 'Arn'] };
const DOCUMENT = { 'Fn::Sub': 'arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:document/${Document}' };

/** The association gets a role that may do what it needs. */
function withRole(change: (role: Value, statements: Value[]) => void = () => undefined): (resources: Value) => void {
  return resources => {
    const statements = [
      { Effect: 'Allow', Action: 'ssm:SendCommand', Resource: DOCUMENT },
      { Effect: 'Allow', Action: 'ssm:SendCommand', Resource: 'arn:aws:ec2:*:*:instance/*', Condition: { StringEquals: { 'ssm:resourceTag/eks:cluster-name': 'training' } } },
    ];
    resources.DispatchRole = {
      Type: 'AWS::IAM::Role',
      Properties: {
        AssumeRolePolicyDocument: {
          Statement: [{
            Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'ssm.amazonaws.com' }, Condition: { StringEquals: { 'aws:SourceAccount': '123456789012' } },
          }],
        },
        Policies: [{ PolicyName: 'Dispatch', PolicyDocument: { Statement: statements } }],
      },
    };
    resources.Association.Properties.AssociationDispatchAssumeRole = DISPATCH_ROLE;
    change(resources.DispatchRole.Properties, statements);
  };
}

async function reconcile(nodes: FakeNode[], change: (resources: Value) => void) {
  const { associations: [association] } = await deploy(nodes, change).reconcile();
  return association;
}

test('a role that dispatches the association and may is used', async () => {
  const node = new FakeNode('gpu-1');
  expect(await reconcile([node], withRole())).toMatchObject({ status: 'Success', invocations: [{ node: 'gpu-1', status: 'Success' }] });
  expect(node.runs).toHaveLength(1);
});

test.each<[string, (role: Value, statements: Value[]) => void, string]>([
  ['trusts another service', role => { role.AssumeRolePolicyDocument.Statement[0].Principal.Service = 'ec2.amazonaws.com'; }, 'does not trust ssm.amazonaws.com'],
  ['trusts another account', role => { role.AssumeRolePolicyDocument.Statement[0].Condition.StringEquals['aws:SourceAccount'] = '999999999999'; }, 'does not trust ssm.amazonaws.com'],
  ['wants a source that nobody knows the form of', role => { role.AssumeRolePolicyDocument.Statement[0].Condition.ArnLike = { 'aws:SourceArn': 'arn:aws:ssm:*:*:association/*' }; }, 'does not trust ssm.amazonaws.com'],
  ['may not send the document', (_, statements) => { statements.shift(); }, 'is not allowed ssm:SendCommand on arn:aws:ssm:us-east-1:123456789012:document/Demo-Document-'],
])('with a role that %s nothing runs', async (_, change, reason) => {
  const node = new FakeNode('gpu-1');
  expect(await reconcile([node], withRole(change))).toMatchObject({ status: 'Failed', reason: expect.stringContaining(reason), invocations: [] });
  expect(node.runs).toEqual([]);
});

test('a node that the role may not reach is denied, the others run', async () => {
  const nodes = [new FakeNode('gpu-1'), new FakeNode('gpu-2')];
  nodes[0].tags.team = 'secret';
  const association = await reconcile(nodes, withRole((_, statements) => {
    statements.push({ Effect: 'Deny', Action: 'ssm:SendCommand', Resource: '*', Condition: { StringEquals: { 'ssm:resourceTag/team': 'secret' } } });
  }));
  expect(association).toMatchObject({ status: 'Failed', invocations: [{ status: 'AccessDenied', reason: expect.stringContaining('ssm:SendCommand') }, { status: 'Success' }] });
  expect(nodes.map(node => node.runs.length)).toEqual([0, 1]);
});

test('a node that does not answer has its run pending, and the others run', async () => {
  const nodes = [new FakeNode('gpu-1'), new FakeNode('gpu-2')];
  nodes[0].answers = false;
  expect(await reconcile(nodes, () => undefined)).toMatchObject({ status: 'Pending', invocations: [{ status: 'Pending' }, { status: 'Success' }] });
});

test('a push runs beside an association on the same node', async () => {
  const node = new FakeNode('gpu-1');
  const waiting: (() => void)[] = [];
  // Each run ends when both have begun.
  node.run = () => new Promise(resolve => {
    waiting.push(() => resolve({ exitCode: 0, stdout: '', stderr: '', seconds: 0 }));
    if (waiting.length === 2) {
      waiting.forEach(end => end());
    }
  });
  const controlPlane = deploy([node]);
  const [{ deliveries }, { associations }] = await Promise.all([controlPlane.putEvent(pushOf('v1')), controlPlane.reconcile()]);
  expect([deliveries[0].status, associations[0].status]).toEqual(['Success', 'Success']);
});
