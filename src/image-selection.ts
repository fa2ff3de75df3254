import { Annotations, Aws, Stack, Token } from 'aws-cdk-lib';
import type { DockerImageAsset } from 'aws-cdk-lib/aws-ecr-assets';
import type { aws_ecr } from 'aws-cdk-lib/interfaces';
import type { Construct } from 'constructs';
import { parseEcrHost, parseReference, validateDigest, validateRepositoryName, validateTag } from './image-reference';
import type { EcrRepositoryLocation, ImageSelectionConfig } from './image-selection-config';
import type { TagFilter } from './tag-filter';
import { validateTagFilter } from './tag-patterns';

/** Options of `ImageSelection.repository()`. */
export interface RepositoryImagesOptions {
  /**
   * How many images the nodes keep: the newest ones by the time they were pushed, 1 to 100. An image with several
   * matching tags counts once and is there under each of them.
   *
   * @default 1
   */
  readonly keep?: number;

  /**
   * Which tags count. Pushes of other tags start nothing.
   *
   * @default - every tag
   */
  readonly tags?: TagFilter;
}

/** Says which images the nodes keep. */
export abstract class ImageSelection {
  /**
   * The newest pushed images of an ECR repository.
   *
   * The repository may be of another account or region. Nodes of another account need a repository policy there that
   * lets their role pull and list.
   *
   * @throws an error at synth when `keep` is not 1 to 100, or when no tag can pass the filter
   */
  public static repository(repository: aws_ecr.IRepositoryRef, options: RepositoryImagesOptions = {}): ImageSelection {
    return new EcrSelection(repository, () => {
      const keep = options.keep ?? 1;
      if (!Token.isUnresolved(keep) && (!Number.isInteger(keep) || keep < 1 || keep > 100)) {
        throw new Error(`keep must be a whole number from 1 to 100, got ${keep}`);
      }
      validateTagFilter(options.tags ?? {});
      return { keep, tags: options.tags };
    });
  }

  /**
   * One tag of an ECR repository. When the tag is pushed again, the nodes pull it again.
   *
   * @throws an error at synth when no such tag can exist
   */
  public static tag(repository: aws_ecr.IRepositoryRef, tag: string): ImageSelection {
    return new EcrSelection(repository, () => {
      validateTag(tag);
      return { tag };
    });
  }

  /**
   * One image of an ECR repository by its digest (`sha256:` and 64 hexadecimal digits).
   *
   * @throws an error at synth when it is no digest
   */
  public static digest(repository: aws_ecr.IRepositoryRef, digest: string): ImageSelection {
    return new EcrSelection(repository, () => {
      validateDigest(digest);
      return { digest };
    });
  }

  /**
   * An image of any registry by its name, as a pod spec has it: `public.ecr.aws/nginx/nginx:1.27`, `quay.io/org/app@sha256:…`,
   * or a Docker Hub short name (`nginx` is `docker.io/library/nginx:latest`). The nodes use the credentials that their kubelet
   * has for that registry. A private ECR repository named this way gets the same permissions and push events as `tag()`.
   *
   * @throws an error at synth when it is no image name, or not known at synth
   */
  public static registry(name: string): ImageSelection {
    return new RegistrySelection(name);
  }

  /** An image that this CDK app builds. */
  public static dockerImageAsset(asset: DockerImageAsset): ImageSelection {
    return ImageSelection.tag(asset.repository, asset.imageTag);
  }

  /**
   * One tag of a repository that an ECR pull-through cache rule of this account and region fills.
   *
   * The nodes may be the first to ask for it, so they also get the permissions to let ECR fetch it. Creating the
   * cache rule stays with you.
   *
   * @param repositoryName the repository with the prefix of the rule, e.g. `docker-hub/library/nginx`
   * @param tag the tag
   * @throws an error at synth when no such repository or tag can exist
   * @see https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
   */
  public static pullThroughCache(repositoryName: string, tag: string): ImageSelection {
    return new PullThroughCacheSelection(repositoryName, tag);
  }

  /**
   * Works out the selection, in the order of priority.
   *
   * @internal
   */
  public abstract _bind(scope: Construct): ImageSelectionConfig[];
}

class EcrSelection extends ImageSelection {
  constructor(
    private readonly repository: aws_ecr.IRepositoryRef,
    private readonly images: () => Pick<ImageSelectionConfig, 'keep' | 'tags' | 'tag' | 'digest'>,
  ) {
    super();
  }

  public _bind(_scope: Construct): ImageSelectionConfig[] {
    const { repositoryName, repositoryArn } = this.repository.repositoryRef;
    validateRepositoryName(repositoryName);
    // An ARN that is spelled out knows better than `env`: Repository.fromRepositoryAttributes() leaves that at the stack's.
    const [, , , region, account] = repositoryArn.split(':').length >= 6 ? repositoryArn.split(':') : [];
    return [{
      ...ecrImage({ account: account ?? this.repository.env.account, region: region ?? this.repository.env.region, repositoryArn }, repositoryName),
      ...this.images(),
    }];
  }
}

class RegistrySelection extends ImageSelection {
  constructor(private readonly name: string) {
    super();
  }

  public _bind(scope: Construct): ImageSelectionConfig[] {
    const reference = parseReference(this.name);
    if (reference.tag === 'latest' && !this.name.endsWith(':latest')) {
      Annotations.of(scope).addWarningV2('cdk-eks-image-prefetcher:impliedLatest',
        `image '${this.name}' names no tag, so it is kept as '${reference.host}/${reference.path}:latest': name the tag or digest that your pods name`);
    }
    const location = parseEcrHost(reference.host);
    if (!location) return [reference];
    const repositoryArn = Stack.of(scope).formatArn({ service: 'ecr', ...location, resource: 'repository', resourceName: reference.path });
    return [{ ...reference, ecr: { ...location, repositoryArn } }];
  }
}

class PullThroughCacheSelection extends ImageSelection {
  constructor(private readonly repositoryName: string, private readonly tag: string) {
    super();
  }

  public _bind(scope: Construct): ImageSelectionConfig[] {
    validateRepositoryName(this.repositoryName);
    validateTag(this.tag);
    const { account, region } = Stack.of(scope);
    const repositoryArn = Stack.of(scope).formatArn({ service: 'ecr', resource: 'repository', resourceName: this.repositoryName });
    return [{ ...ecrImage({ account, region, repositoryArn }, this.repositoryName), tag: this.tag, pullThroughCache: true }];
  }
}

function ecrImage(location: EcrRepositoryLocation, path: string): ImageSelectionConfig {
  return { host: `${location.account}.dkr.ecr.${location.region}.${Aws.URL_SUFFIX}`, path, ecr: location };
}
