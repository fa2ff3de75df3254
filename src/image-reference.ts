import { Token } from 'aws-cdk-lib';

/**
 * The grammar of image references. The node program and the `allowedPattern`s of the documents enforce the same one,
 * because an image tag is input from outside and the node program runs as root.
 *
 * @see https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
 * @see https://github.com/distribution/reference
 */
const PATH_COMPONENT = '[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*';
const REPOSITORY = `${PATH_COMPONENT}(?:/${PATH_COMPONENT})*`;
const TAG = '[A-Za-z0-9_][A-Za-z0-9._-]{0,127}';
const DIGEST = 'sha256:[a-f0-9]{64}';
const LABEL = '[a-z0-9]+(?:-+[a-z0-9]+)*';
const HOST = `${LABEL}(?:\\.${LABEL})*(?::[0-9]{1,5})?`;

export const REPOSITORY_PATTERN = `^${REPOSITORY}$`;
export const TAG_PATTERN = `^${TAG}$`;

const REFERENCE = new RegExp(`^(?:(${HOST})/)?(${REPOSITORY})(?::(${TAG}))?(?:@(${DIGEST}))?$`);
const ECR_HOST = /^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:on\.aws|on\.amazonwebservices\.com\.cn|amazonaws\.com(?:\.cn)?|c2s\.ic\.gov|sc2s\.sgov\.gov)$/;

/** One image reference, taken apart. */
export interface ParsedReference {
  readonly host: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: string;
}

/**
 * Spells a reference out as the kubelet does (`nginx` is `docker.io/library/nginx:latest`).
 * With a tag and a digest the digest wins, as it does when the kubelet pulls.
 */
export function parseReference(name: string): ParsedReference {
  if (Token.isUnresolved(name)) {
    throw new Error('an image name must be known at synth, got a token: name ECR repositories by ImageSelection.tag() or ImageSelection.digest(), which take tokens');
  }
  const [first, ...rest] = name.split('/');
  // The kubelet's rule: the first part is a host only when it looks like one.
  const named = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const spelled = named ? name : `docker.io/${rest.length > 0 ? name : `library/${name}`}`;
  const match = REFERENCE.exec(spelled);
  if (!match || match[2].length > 255) {
    throw new Error(`an image name must be [HOST/]repository[:tag][@sha256:digest] in the characters registries allow, got '${name}'`);
  }
  const [, host, path, tag, digest] = match;
  if (digest) return { host, path, digest };
  return { host, path, tag: tag ?? 'latest' };
}

/** Account and region of a private ECR host name, or undefined for any other registry. */
export function parseEcrHost(host: string): { account: string; region: string } | undefined {
  const match = ECR_HOST.exec(host);
  return match ? { account: match[1], region: match[2] } : undefined;
}

export function validateRepositoryName(name: string): void {
  if (Token.isUnresolved(name)) return;
  if (name.length < 2 || name.length > 256 || !new RegExp(REPOSITORY_PATTERN).test(name)) {
    throw new Error(`a repository name must be 2 to 256 characters of a-z, 0-9 and the separators . _ - /, got '${name}'`);
  }
}

export function validateTag(tag: string): void {
  if (Token.isUnresolved(tag)) return;
  if (!new RegExp(TAG_PATTERN).test(tag)) {
    throw new Error(`an image tag must be 1 to 128 characters of A-Z, a-z, 0-9, . _ and -, not starting with . or -, got '${tag}'`);
  }
}

export function validateDigest(digest: string): void {
  if (Token.isUnresolved(digest)) return;
  if (!new RegExp(`^${DIGEST}$`).test(digest)) {
    throw new Error(`an image digest must be sha256: and 64 hexadecimal digits, got '${digest}'`);
  }
}
