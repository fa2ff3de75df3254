import { CfnResource } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { IConstruct } from 'constructs';
import { spelledOut } from './spelled-out';
import { shown } from './validate-kind';
import { validateList } from './validate-list';

const CONTAINERS = ['containers', 'initContainers', 'ephemeralContainers'];

/** The images that parsed manifests or `KubernetesManifest` constructs name, in the order as written. */
export function imagesOfManifests(manifests: unknown[]): string[] {
  const images = manifests.flatMap(manifest => imagesOf(Construct.isConstruct(manifest) ? parsed(manifest) : manifest));
  if (images.length === 0) {
    throw new Error(`manifests of an ImageSelection must name an image in containers, initContainers, ephemeralContainers or image volumes, got none in ${manifests.map(nameOf).join(', ') || 'no manifest'}`);
  }
  return images;
}

/** A text or a path of a file is not read here: which parser, is the user's choice. */
export function validateManifests(manifests: unknown[]): void {
  validateList('manifests of an ImageSelection', manifests, ': leave empty documents out');
  const odd = manifests.find(manifest => typeof manifest !== 'object');
  if (odd !== undefined) {
    throw new Error(`manifests of an ImageSelection must be parsed manifests or KubernetesManifest constructs, got ${shown(odd)}: read the file and parse it first`);
  }
}

/** Whatever the kind, a pod template is where containers are listed. */
function imagesOf(value: unknown): string[] {
  if (Array.isArray(value)) {
    return value.flatMap(imagesOf);
  }
  if (typeof value !== 'object' || value === null) {
    return [];
  }
  return Object.entries(value).flatMap(([key, inner]) => {
    if (CONTAINERS.includes(key) && Array.isArray(inner)) {
      return inner.flatMap(container => imageIn(container?.image));
    }
    // https://kubernetes.io/docs/tasks/configure-pod-container/image-volumes/
    if (key === 'volumes' && Array.isArray(inner)) {
      return inner.flatMap(volume => imageIn(volume?.image?.reference));
    }
    return imagesOf(inner);
  });
}

function imageIn(value: unknown): string[] {
  return typeof value === 'string' ? [value] : [];
}

function nameOf(manifest: any): string {
  return Construct.isConstruct(manifest) ? `'${manifest.node.path}'` : `${manifest?.kind ?? 'a manifest'} '${manifest?.metadata?.name ?? 'without a name'}'`;
}

/** What a `KubernetesManifest` hands to kubectl. */
function parsed(construct: IConstruct): unknown {
  const resource = construct.node.findAll().find((child): child is CfnResource =>
    CfnResource.isCfnResource(child) && child.cfnResourceType === 'Custom::AWSCDK-EKS-KubernetesResource');
  const text = (resource as { cfnProperties?: { Manifest?: unknown } } | undefined)?.cfnProperties?.Manifest;
  if (typeof text !== 'string') {
    throw new Error(`manifests of an ImageSelection must be parsed manifests or KubernetesManifest constructs, got '${construct.node.path}', which is neither`);
  }
  return JSON.parse(withTokensQuoted(spelledOut(construct, text)));
}

/** A number known only at deployment stands in JSON without quotes; as a text it can be parsed, and no image is a number. */
function withTokensQuoted(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"|\$\{Token\[[^\]]+\]\}/g, part => part.startsWith('"') ? part : JSON.stringify(part));
}
