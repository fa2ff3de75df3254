/**
 * Which tags of a repository are wanted.
 *
 * A pattern is made of tag characters and `*`, which stands for any run of characters, also none: `v1.2` (exactly this
 * tag), `v*` (prefix), `*-prod` (suffix), `v*-prod` (wildcard). Upper and lower case differ. Untagged images, and tags
 * that start with `sha256-` (signatures, attestations and other referrers), are never wanted.
 */
export interface TagFilter {
  /**
   * A tag is wanted when one of these patterns matches it.
   *
   * @default - every tag
   */
  readonly include?: string[];

  /**
   * A tag that one of these patterns matches is not wanted, even when it is included.
   *
   * @default - no tag is excluded
   */
  readonly exclude?: string[];
}
