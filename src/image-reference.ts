import { ACCOUNT, DOMAIN, REGION, SERVICE } from './ecr-hosts';
import { isBeforeLookup, isKnownLater, readable } from './known-later';
import { shown } from './validate-kind';

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
/** ECR takes one more, containerd does not. */
const LONGEST_PATH = 255;
const LABEL = '[a-z0-9]+(?:-+[a-z0-9]+)*';

export const REPOSITORY_PATTERN = `^${REPOSITORY}$`;
export const TAG_PATTERN = `^${TAG}$`;

const HOST = new RegExp(`^${LABEL}(?:\\.${LABEL})*(?::([0-9]{1,5}))?$`);

/** How CDK writes a token into a text. */
const TOKEN = /\$\{Token\[[^\]]+\]\}/g;
/** What a token is while the grammar is tried: characters that are right anywhere in a repository, a tag or a host. */
const MASK = 'cdktoken[0-9]+x';
const MASKED_DIGEST = `sha256:${MASK}|${MASK}`;
const ECR_HOST = new RegExp(`^(${ACCOUNT}|${MASK})\\.${SERVICE}\\.(${REGION}|${MASK})\\.(?:${DOMAIN}|${MASK})$`);

const IN_REGISTRY = new RegExp(`^(${REPOSITORY})(?::(${TAG}))?(?:@(${DIGEST}|${MASKED_DIGEST}))?$`);

/** Stands in until a lookup has given the name. */
const BEFORE_LOOKUP: ParsedReference = { host: 'docker.io', path: 'library/not-looked-up-yet', tag: 'latest', saysTag: true };

/** One image reference, taken apart. */
export interface ParsedReference {
  readonly host: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: string;
  /** Whether the tag was said, not implied. */
  readonly saysTag: boolean;
  /** Where the registry is, when it is a private one of ECR. */
  readonly ecr?: { readonly account: string; readonly region: string };
}

/**
 * Spells a reference out as the kubelet does (`nginx` is `docker.io/library/nginx:latest`). With a tag and a digest the
 * digest wins, as it does when the kubelet pulls.
 *
 * Parts of it may be tokens, where it shows what they are: account, region and repository of an ECR host, a tag, a digest.
 */
export function parseReference(name: string): ParsedReference {
  if (typeof name !== 'string') {
    throw new Error(`an image name must be [HOST/]repository[:tag][@sha256:digest] in the characters registries allow, got ${shown(name)}`);
  }
  if (isBeforeLookup(name)) {
    return BEFORE_LOOKUP;
  }
  const { masked, unmask } = mask(name);
  const { host, rest } = splitHost(masked);
  const ecr = ECR_HOST.exec(host);
  if (!ecr && ECR_HOST.test(host.replace(/:[0-9]+$/, ''))) {
    throw new Error(`an image name must name a registry of ECR without a port, got '${readable(name)}': the kubelet has no credentials for it under another name than '${readable(unmask(host.replace(/:[0-9]+$/, '')))}'`);
  }
  const [repository] = rest.split(/[:@]/);
  const isWithToken = (text: string) => new RegExp(MASK).test(text) && masked !== name;
  // A token at its end may bring a tag of its own; in an ECR host it is the name of a repository.
  if (!ecr && (isWithToken(host) || (isWithToken(repository) && (host === 'docker.io' || repository === rest)))) {
    throw new Error('an image name must be known at synth, got a token: name ECR repositories by ImageSelection.tag() or ImageSelection.digest(), which take tokens');
  }
  if (!ecr && !isHost(host)) {
    throw new Error(`an image name must be spelled with a registry of lower-case letters, digits, - and . (and a port up to 65535), got '${host}' in '${name}'`);
  }
  const match = IN_REGISTRY.exec(rest);
  // The kubelet takes 64 hexadecimal digits for the id of an image.
  if (!match || match[1].length > LONGEST_PATH || /^[a-f0-9]{64}$/.test(name)) {
    throw new Error(`an image name must be [HOST/]repository[:tag][@sha256:digest] in the characters registries allow, got '${name}'`);
  }
  const [, path, tag, digest] = match.map(part => part && unmask(part));
  return {
    host: unmask(host),
    path,
    ...digest ? { digest } : { tag: tag ?? 'latest' },
    saysTag: tag !== undefined || digest !== undefined,
    ...ecr ? { ecr: { account: unmask(ecr[1]), region: unmask(ecr[2]) } } : {},
  };
}

/** The kubelet's rule: the first part is a host only when it looks like one. */
function splitHost(name: string): { host: string; rest: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const isNamed = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  const host = isNamed ? first : 'docker.io';
  const rest = isNamed ? name.slice(slash + 1) : name;
  if (host !== 'docker.io' && host !== 'index.docker.io') {
    return { host, rest };
  }
  return { host: 'docker.io', rest: rest.includes('/') ? rest : `library/${rest}` };
}

function isHost(host: string): boolean {
  const match = HOST.exec(host);
  return match !== null && Number(match[1] ?? 0) <= 65_535;
}

function mask(name: string): { masked: string; unmask: (text: string) => string } {
  const tokens: string[] = [];
  const masked = name.replace(TOKEN, token => `cdktoken${tokens.push(token) - 1}x`);
  return { masked, unmask: text => text.replace(/cdktoken([0-9]+)x/g, (same, index) => tokens[index] ?? same) };
}

export function validateRepositoryName(name: string): void {
  if (typeof name === 'string' && isKnownLater(name)) {
    return;
  }
  if (typeof name !== 'string' || name.length < 2 || name.length > LONGEST_PATH || !new RegExp(REPOSITORY_PATTERN).test(name)) {
    throw new Error(`a repository name must be 2 to ${LONGEST_PATH} characters of a-z, 0-9 and the separators . _ - /, got ${shown(name)}`);
  }
}

export function validateTag(tag: string): void {
  if (typeof tag === 'string' && isKnownLater(tag)) {
    return;
  }
  if (typeof tag !== 'string' || !new RegExp(TAG_PATTERN).test(tag)) {
    throw new Error(`an image tag must be 1 to 128 characters of A-Z, a-z, 0-9, . _ and -, not starting with . or -, got ${shown(tag)}`);
  }
}

export function validateDigest(digest: string): void {
  if (typeof digest === 'string' && isKnownLater(digest)) {
    return;
  }
  if (typeof digest !== 'string' || !new RegExp(`^${DIGEST}$`).test(digest)) {
    throw new Error(`an image digest must be sha256: and 64 hexadecimal digits, got ${shown(digest)}`);
  }
}
