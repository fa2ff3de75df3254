import type { Stack } from 'aws-cdk-lib';
import { Duration, Lazy } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { flat, newCluster, newStack, prefetch, propertiesOf } from './fixture';
import type { BootGateOptions } from '../src';
import { ImagePrefetcher, ImageSelection, NodeSelection } from '../src';
import { ControlPlane } from '../testbed/aws';

/** EC2 takes 16 KB before base64; EKS and the user add parts of their own. With base64 it stays under 16 KB, too. */
const MOST_BYTES = 10_752;

function render(options?: BootGateOptions): string {
  const { stack, prefetcher } = prefetch();
  return flat(stack.resolve(prefetcher.renderBootGate(options)));
}

/** The user data of a node group that is defined after its prefetcher, by the images that are wanted there. */
function gatedNodegroup(...images: string[]): { stack: Stack; userData: () => string } {
  const stack = newStack();
  const cluster = newCluster(stack);
  const nodeRole = new iam.Role(stack, 'NodeRole', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
  const prefetcher = new ImagePrefetcher(stack, 'Prefetcher', {
    cluster, nodes: [NodeSelection.nodegroupNames(['gpu'], { nodeRole })], images: images.map(image => ImageSelection.registry(image)),
  });
  const userData = new ec2.MultipartUserData();
  prefetcher.addBootGate(userData);
  const launchTemplate = new ec2.LaunchTemplate(stack, 'LaunchTemplate', { userData });
  cluster.addNodegroupCapacity('Gpu', {
    nodegroupName: 'gpu', nodeRole, launchTemplateSpec: { id: launchTemplate.launchTemplateId!, version: launchTemplate.latestVersionNumber },
  }).node.addDependency(prefetcher);
  return { stack, userData: () => flat(propertiesOf(Template.fromStack(stack), 'AWS::EC2::LaunchTemplate').LaunchTemplateData.UserData['Fn::Base64']) };
}

test('the kubelet waits 5 minutes where nothing else is said', () => {
  expect(render()).toContain('timeout --kill-after=5 300 ');
});

test.each([Duration.seconds(30), Duration.seconds(90), Duration.minutes(10)])('%s is a bound', maxWait => {
  expect(render({ maxWait })).toContain(`timeout --kill-after=5 ${maxWait.toSeconds()} `);
});

test.each([Duration.millis(30_500), Duration.seconds(29), Duration.seconds(601), Duration.hours(1), Duration.seconds(0)])('%s is no bound', maxWait => {
  expect(() => render({ maxWait })).toThrow(/^maxWait of the boot gate of 'Stack.Prefetcher' must be whole seconds from 30 seconds to 10 minutes, got .+: EKS and Karpenter give up/);
});

test('a bound known only at deployment is none', () => {
  expect(() => render({ maxWait: Duration.seconds(Lazy.number({ produce: () => 60 })) }))
    .toThrow("maxWait of the boot gate of 'Stack/Prefetcher' must be whole seconds from 30 seconds to 10 minutes, got a token:");
});

test('nothing that the user data has a place for is left open', () => {
  expect(render({ fastImagePull: true })).not.toMatch(/@[A-Z_]+@|undefined/);
});

test('the user data takes at most 10.5 KB', () => {
  // What stands for the document's name here is longer than any name.
  expect(Buffer.byteLength(render({ fastImagePull: true }).replace(/\{\w+\}/, 'x'.repeat(128)))).toBeLessThan(MOST_BYTES);
});

test('the NodeConfig part is there when fast image pull is asked for, and only then', () => {
  const part = 'Content-Type: application/node.eks.aws\n\napiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  featureGates:\n    FastImagePull: true\n';
  expect(render({ fastImagePull: true })).toContain(part);
  expect(render()).not.toContain('node.eks.aws');
});

test('other parts of the user data stay', () => {
  const { stack, prefetcher } = prefetch();
  const userData = new ec2.MultipartUserData();
  userData.addPart(ec2.MultipartBody.fromUserData(ec2.UserData.custom('#!/bin/sh\necho mine')));
  prefetcher.addBootGate(userData);
  const text = JSON.stringify(stack.resolve(userData.render()));
  expect(text).toContain('echo mine');
  expect(text.indexOf('echo mine')).toBeLessThan(text.indexOf('image-prefetcher-boot-gate.service'));
});

describe('a second gate in one user data is refused', () => {
  const refusal = /^userData of the boot gate of 'Stack\/(Prefetcher|Other)' has a boot gate already/;

  test('of the same prefetcher', () => {
    const { prefetcher } = prefetch();
    const userData = new ec2.MultipartUserData();
    prefetcher.addBootGate(userData);
    expect(() => prefetcher.addBootGate(userData, { fastImagePull: true })).toThrow(refusal);
  });

  test('of another prefetcher', () => {
    const { stack, prefetcher } = prefetch();
    const other = new ImagePrefetcher(stack, 'Other', {
      cluster: newCluster(stack, 'OtherCluster'), nodes: [NodeSelection.cluster()], images: [ImageSelection.registry('quay.io/org/app:v1')],
    });
    const userData = new ec2.MultipartUserData();
    prefetcher.addBootGate(userData);
    expect(() => other.addBootGate(userData)).toThrow(refusal);
  });

  test('that was added as a text', () => {
    const { prefetcher } = prefetch();
    const userData = new ec2.MultipartUserData();
    userData.addPart(ec2.MultipartBody.fromRawBody({ contentType: 'text/x-shellscript', body: prefetcher.renderBootGate() }));
    expect(() => prefetcher.addBootGate(userData)).toThrow(refusal);
  });

  test('and one gate in each of two user data is none', () => {
    const { prefetcher } = prefetch();
    for (const userData of [new ec2.MultipartUserData(), new ec2.MultipartUserData()]) {
      prefetcher.addBootGate(userData);
    }
  });
});

test('another image leaves the launch template, and so the running nodes, as it is', () => {
  const before = gatedNodegroup('quay.io/org/app:v1').userData();
  expect(gatedNodegroup('quay.io/org/app:v2', 'quay.io/org/other:v1').userData()).toBe(before);
  expect(before).not.toContain('quay.io');
});

test('the text for Karpenter is what a launch template gets', () => {
  const { stack, userData } = gatedNodegroup('quay.io/org/app:v1');
  const prefetcher = stack.node.findChild('Prefetcher') as ImagePrefetcher;
  expect(flat(stack.resolve(prefetcher.renderBootGate()))).toBe(userData());
});

test('the nodes of the node group may read the document that their user data names', () => {
  const { stack, userData } = gatedNodegroup('quay.io/org/app:v1');
  const plane = new ControlPlane(Template.fromStack(stack).toJSON(), {
    account: stack.account, region: stack.region, stackName: stack.stackName, fleet: [], matcher: { matches: () => false },
  });
  const [{ logicalId }] = plane.template.resources('AWS::SSM::Document').filter(({ properties }) => properties.DocumentType === 'Command');
  const document = plane.template.ref(logicalId);
  expect(userData()).toContain(`{${logicalId}}`);
  const role = plane.template.attribute(stack.getLogicalId(stack.node.findChild('NodeRole').node.defaultChild as iam.CfnRole), 'Arn');
  expect(plane.iam.allowed(role, 'ssm:GetDocument', `arn:aws:ssm:${stack.region}:${stack.account}:document/${document}`)).toMatchObject({ allowed: true });
});
