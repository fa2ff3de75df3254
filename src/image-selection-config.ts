import type { TagFilter } from './tag-filter';

/** Where a private ECR repository is. */
export interface EcrRepositoryLocation {
  /** Account id of the repository. */
  readonly account: string;

  /** Region of the repository. */
  readonly region: string;

  /** ARN of the repository. */
  readonly repositoryArn: string;
}

/** What an `ImageSelection` comes down to: one of these, or several. */
export interface ImageSelectionConfig {
  /** Host name of the registry, with the port where it has one. */
  readonly host: string;

  /** The repository in that registry, fully spelled (`library/nginx`). */
  readonly path: string;

  /**
   * The tag of a fixed image.
   *
   * @default - the image is named by `digest`, or the newest ones are wanted
   */
  readonly tag?: string;

  /**
   * The digest of a fixed image, `sha256:` and 64 hexadecimal digits.
   *
   * @default - the image is named by `tag`, or the newest ones are wanted
   */
  readonly digest?: string;

  /**
   * How many of the newest images are wanted, 1 to 100.
   *
   * @default - one fixed image is wanted
   */
  readonly keep?: number;

  /**
   * Which tags count among the newest.
   *
   * @default - every tag
   */
  readonly tags?: TagFilter;

  /**
   * Where the private ECR repository is, for permissions and push events.
   *
   * @default - another kind of registry
   */
  readonly ecr?: EcrRepositoryLocation;

  /**
   * Whether ECR may have to fetch the image from an upstream registry first.
   *
   * @default false
   */
  readonly pullThroughCache?: boolean;
}
