import { CfnParameter, Reference, Stack, Tokenization } from 'aws-cdk-lib';
import { CfnAutoScalingGroup, CfnLaunchConfiguration } from 'aws-cdk-lib/aws-autoscaling';
import { CfnLaunchTemplate } from 'aws-cdk-lib/aws-ec2';
import type { IConstruct } from 'constructs';

/** Why nodes with such a machine image can't be prefetched to. */
export const UNFIT = {
  windows: 'Windows, which this library does not support',
  bottlerocket: 'Bottlerocket, where SSM reaches no containerd',
  al2: 'Amazon Linux 2, whose Python is older than the 3.9 that the node program needs',
};

/** Where AWS publishes machine images: the AMI itself says nothing at synth. */
const PUBLISHED: [RegExp, string][] = [
  [/\/aws\/service\/bottlerocket\//, UNFIT.bottlerocket],
  [/\/amazon-linux-2(?:-\w+)?\/|\/amzn2-ami/, UNFIT.al2],
];

/** What the machine image of an Auto Scaling group lacks, as far as can be seen. */
export function unfitImageOfGroup(group: IConstruct): string | undefined {
  const parts = group.node.findAll();
  const launchTemplateIds = parts.filter(part => part instanceof CfnAutoScalingGroup).flatMap(({ launchTemplate, mixedInstancesPolicy }: any) =>
    [launchTemplate?.launchTemplateId, mixedInstancesPolicy?.launchTemplate?.launchTemplateSpecification?.launchTemplateId]);
  return unfitImage(group, [
    ...parts.filter(part => part instanceof CfnLaunchConfiguration).map(part => part.imageId),
    ...launchTemplateIds.map(imageOfLaunchTemplate),
  ]);
}

/** What the machine image of a launch template of this app lacks. */
export function unfitImageOfLaunchTemplate(scope: IConstruct, launchTemplateId: unknown): string | undefined {
  return unfitImage(scope, [imageOfLaunchTemplate(launchTemplateId)]);
}

function imageOfLaunchTemplate(id: unknown): unknown {
  const token = typeof id === 'string' ? Tokenization.reverseString(id).firstToken : undefined;
  const template = Reference.isReference(token) ? token.target : undefined;
  return template instanceof CfnLaunchTemplate ? (template.launchTemplateData as CfnLaunchTemplate.LaunchTemplateDataProperty).imageId : undefined;
}

function unfitImage(scope: IConstruct, imageIds: unknown[]): string | undefined {
  const sources = imageIds.map(imageId => sourceOf(scope, imageId));
  return PUBLISHED.find(([path]) => sources.some(source => path.test(source)))?.[1];
}

/** The SSM parameter that an image id comes from. */
function sourceOf(scope: IConstruct, imageId: unknown): string {
  if (typeof imageId !== 'string') {
    return '';
  }
  const token = Tokenization.reverseString(imageId).firstToken;
  if (Reference.isReference(token) && token.target instanceof CfnParameter) {
    return String(token.target.default);
  }
  return JSON.stringify(Stack.of(scope).resolve(imageId));
}
