import { Annotations, CfnElement, Reference, Tokenization } from 'aws-cdk-lib';
import type { aws_ecr } from 'aws-cdk-lib/interfaces';
import type { Construct, IConstruct } from 'constructs';
import { imageOfPlace, imageOfRepository } from './ecr-repository';
import { parseReference } from './image-reference';
import type { ParsedReference } from './image-reference';
import type { ImageSelectionConfig } from './image-selection-config';
import { readable } from './known-later';
import { spelledOut } from './spelled-out';

/** Images by their names as pod specs have them, each once. */
export function namedImages(scope: Construct, names: string[]): ImageSelectionConfig[] {
  const images = new Map<string, ImageSelectionConfig>();
  for (const name of names) {
    const reference = parseReference(spelledOut(scope, name));
    if (!reference.saysTag) {
      Annotations.of(scope).addWarningV2('cdk-eks-image-prefetcher:impliedLatest',
        `image '${readable(name)}' names no tag, so it is kept as '${readable(`${reference.host}/${reference.path}`)}:latest': name the tag or digest that your pods name`);
    }
    const image = imageOfReference(scope, reference);
    images.set(`${image.host}/${image.path}:${image.tag}@${image.digest}`, image);
  }
  return [...images.values()];
}

function imageOfReference(scope: Construct, { host, path, tag, digest, ecr }: ParsedReference): ImageSelectionConfig {
  const image = { host, path, tag, digest };
  if (!ecr) {
    return image;
  }
  const repository = repositoryOf(path);
  if (repository) {
    return { ...imageOfRepository(scope, repository), tag, digest };
  }
  return { ...imageOfPlace(scope, ecr, path), ...image };
}

/** The repository of this app whose name is behind a token, as in `repository.repositoryUri`. */
function repositoryOf(path: string): aws_ecr.IRepositoryRef | undefined {
  const { firstToken: token, length } = Tokenization.reverseString(path);
  if (length !== 1 || !Reference.isReference(token) || token.displayName !== 'Ref' || !CfnElement.isCfnElement(token.target)) {
    return undefined;
  }
  return [token.target.node.scope, token.target].find(isRepository);
}

function isRepository(construct: IConstruct | undefined): construct is aws_ecr.IRepositoryRef {
  return construct !== undefined && 'repositoryRef' in construct;
}
