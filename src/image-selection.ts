import { Stack, Token } from 'aws-cdk-lib';
import type { DockerImageAsset } from 'aws-cdk-lib/aws-ecr-assets';
import type { aws_ecr } from 'aws-cdk-lib/interfaces';
import type { Construct, IConstruct } from 'constructs';
import { imageOfPlace, imageOfRepository } from './ecr-repository';
import { parseReference, validateDigest, validateRepositoryName, validateTag } from './image-reference';
import type { ImageSelectionConfig } from './image-selection-config';
import { isToken } from './known-later';
import { imagesOfManifests, validateManifests } from './manifests';
import { namedImages } from './named-images';
import type { TagFilter } from './tag-filter';
import { validateTagFilter } from './tag-patterns';
import { shown, validateKind, validateOptions } from './validate-kind';

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
    validateOptions('ImageSelection.repository()', options);
    const { keep = 1, tags = {} } = options;
    if (!Token.isUnresolved(keep) && (!Number.isInteger(keep) || keep < 1 || keep > 100)) {
      throw new Error(`keep must be a whole number from 1 to 100, got ${shown(keep)}`);
    }
    validateTagFilter(tags);
    return new EcrSelection(repository, { keep, tags: options.tags });
  }

  /**
   * One tag of an ECR repository. When the tag is pushed again, the nodes pull it again.
   *
   * @throws an error at synth when no such tag can exist
   */
  public static tag(repository: aws_ecr.IRepositoryRef, tag: string): ImageSelection {
    validateTag(tag);
    return new EcrSelection(repository, { tag });
  }

  /**
   * One image of an ECR repository by its digest (`sha256:` and 64 hexadecimal digits).
   *
   * @throws an error at synth when it is no digest
   */
  public static digest(repository: aws_ecr.IRepositoryRef, digest: string): ImageSelection {
    validateDigest(digest);
    return new EcrSelection(repository, { digest });
  }

  /**
   * An image of any registry by its name, as a pod spec has it: `public.ecr.aws/nginx/nginx:1.27`, `quay.io/org/app@sha256:…`,
   * or a Docker Hub short name (`nginx` is `docker.io/library/nginx:latest`). The nodes use the credentials that their kubelet
   * has for that registry. A private ECR repository named this way, by a `repositoryUri` too, gets the same permissions and push
   * events as `tag()`.
   *
   * @throws an error at synth when it is no image name, or when its registry and repository are not known at synth
   */
  public static registry(name: string): ImageSelection {
    if (typeof name !== 'string' || !isToken(name)) {
      parseReference(name);
    }
    return new NamedSelection(() => [name]);
  }

  /**
   * Every image that Kubernetes manifests name, in the order as written: in containers, init containers, ephemeral
   * containers and image volumes of whatever has a pod template (Deployment, CronJob, List, Argo Rollout, RayCluster, …).
   * Each image counts as in `registry()`.
   *
   * @param manifests parsed manifests, as `cluster.addManifest()` takes them; one of them may be a list (all documents of a file)
   * @throws an error at synth for a text (parse it first), when they name no image, or one that is no image name
   */
  public static manifests(...manifests: any[]): ImageSelection {
    validateManifests(manifests);
    return new NamedSelection(() => imagesOfManifests(manifests));
  }

  /**
   * Every image that `KubernetesManifest` constructs of aws-eks and aws-eks-v2 name (what `cluster.addManifest()` returns);
   * see `manifests()`.
   *
   * @throws an error at synth when one of them is no `KubernetesManifest`, when they name no image, or one that is no image name
   */
  public static kubernetesManifests(...manifests: IConstruct[]): ImageSelection {
    return ImageSelection.manifests(...manifests);
  }

  /** An image that this CDK app builds. */
  public static dockerImageAsset(asset: DockerImageAsset): ImageSelection {
    validateKind('an ImageSelection of an image asset', 'given one', 'imageTag', [asset], 'an image by its name is ImageSelection.registry(name)');
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
    validateRepositoryName(repositoryName);
    validateTag(tag);
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
  constructor(private readonly repository: aws_ecr.IRepositoryRef, private readonly images: Pick<ImageSelectionConfig, 'keep' | 'tags' | 'tag' | 'digest'>) {
    super();
    validateKind('an ImageSelection of a repository', 'given one', 'repositoryRef', [repository], 'one that is known by name is ecr.Repository.fromRepositoryName(scope, id, name)');
    validateRepositoryName(repository.repositoryRef.repositoryName);
  }

  public _bind(scope: Construct): ImageSelectionConfig[] {
    return [{ ...imageOfRepository(scope, this.repository), ...this.images }];
  }
}

class NamedSelection extends ImageSelection {
  constructor(private readonly names: (scope: Construct) => string[]) {
    super();
  }

  public _bind(scope: Construct): ImageSelectionConfig[] {
    return namedImages(scope, this.names(scope));
  }
}

class PullThroughCacheSelection extends ImageSelection {
  constructor(private readonly repositoryName: string, private readonly tag: string) {
    super();
  }

  public _bind(scope: Construct): ImageSelectionConfig[] {
    return [{ ...imageOfPlace(scope, Stack.of(scope), this.repositoryName), tag: this.tag, pullThroughCache: true }];
  }
}
