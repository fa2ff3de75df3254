import type { AppProps } from 'aws-cdk-lib';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import type { ImagePrefetcherProps, ImageSelection } from '../src';
import { ImagePrefetcher } from '../src';
import { renderWantedImages } from '../src/wanted-images';
import { ACCOUNT, REGION } from '../testbed/place';
import { parseSettings } from '../testbed/settings';

export { ACCOUNT, REGION };

export function newStack(id = 'Stack', props: AppProps = {}): Stack {
  return new Stack(new App({ ...props, analyticsReporting: false }), id, { env: { account: ACCOUNT, region: REGION } });
}

/** A cluster whose nodes are managed node groups (the default of aws-eks-v2 is Auto Mode). */
export function newCluster(stack: Stack, id = 'Cluster'): eks.Cluster {
  return new eks.Cluster(stack, id, {
    version: eks.KubernetesVersion.V1_33,
    defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
    defaultCapacity: 0,
  });
}

/** A prefetcher with one cluster, one node group and one repository, where the test doesn't say otherwise. */
export function prefetch(
  props: Partial<ImagePrefetcherProps> = {},
  stack = newStack(),
): { stack: Stack; prefetcher: ImagePrefetcher; template: () => Template } {
  const cluster = props.cluster ?? newCluster(stack);
  const nodegroups = props.nodegroups ?? (props.nodes ? undefined : [(cluster as eks.Cluster).addNodegroupCapacity('Gpu')]);
  const repositories = props.repositories ?? (props.images ? undefined : [new ecr.Repository(stack, 'Training')]);
  const prefetcher = new ImagePrefetcher(stack, 'Prefetcher', { ...props, cluster, nodegroups, repositories });
  return { stack, prefetcher, template: () => Template.fromStack(stack) };
}

/** The only resource of a type, or the one whose logical id holds `part`. */
export function propertiesOf(template: Template, type: string, part = ''): any {
  const found = Object.entries(template.findResources(type)).filter(([id]) => id.includes(part));
  if (found.length !== 1) {
    throw new Error(`expected one ${type} with '${part}' in its id, found ${found.map(([id]) => id).join(', ') || 'none'}`);
  }
  return found[0][1].Properties;
}

/** What the node program of a prefetcher is told: the settings in its document, with the wanted images as one text. */
export function settingsOf(template: Template, prefetcher = 'Prefetcher'): { [name: string]: string } {
  const { mainSteps } = propertiesOf(template, 'AWS::SSM::Document', `${prefetcher}Document`).Content;
  return parseSettings(mainSteps[0].inputs.runCommand.map(flat));
}

/** A text with intrinsics as one string: `{Ref}` and `{GetAtt}` in braces. */
export function flat(value: any): string {
  if (typeof value === 'string') {
    return value;
  }
  if (value.Ref) {
    return `{${value.Ref}}`;
  }
  if (value['Fn::GetAtt']) {
    return `{${value['Fn::GetAtt'].join('.')}}`;
  }
  if (value['Fn::Join']) {
    const [delimiter, parts] = value['Fn::Join'];
    return (Array.isArray(parts) ? parts.map(flat) : flat(parts['Fn::Split'][1]).split(parts['Fn::Split'][0])).join(delimiter);
  }
  return JSON.stringify(value);
}

/** The wanted list of these images, with tokens in braces. */
export function wantedList(stack: Stack, ...images: ImageSelection[]): string[] {
  return renderWantedImages(images.flatMap(image => image._bind(stack))).map(image => flat(stack.resolve(image)));
}

/** The warnings of this library, each with its id. */
export function warningsOf(stack: Stack): string[] {
  return stack.node.findAll().flatMap(construct => construct.node.metadata)
    .filter(({ type, data }) => type === 'aws:cdk:warning' && data.includes('[ack: cdk-eks-image-prefetcher:'))
    .map(({ data }) => data.replace(/^(.*) \[ack: cdk-eks-image-prefetcher:(\w+)\]$/s, '$2: $1'));
}
