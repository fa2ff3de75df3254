import { Aws } from 'aws-cdk-lib';

/** The domains of ECR's registries in every partition; the node program has the same list. */
const DOMAINS = [
  'amazonaws.com', // aws, aws-us-gov
  'on.aws', // aws, dual-stack
  'amazonaws.com.cn', // aws-cn
  'on.amazonwebservices.com.cn', // aws-cn, dual-stack
  'amazonaws.eu', // aws-eusc
  'c2s.ic.gov', // aws-iso
  'sc2s.sgov.gov', // aws-iso-b
  'cloud.adc-e.uk', // aws-iso-e
  'csp.hci.ic.gov', // aws-iso-f
];

/** A region of any partition: `us-east-1`, `us-gov-west-1`, `us-isob-east-1`, `eusc-de-east-1`. */
export const REGION = '[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}';

/** An account id. */
export const ACCOUNT = '[0-9]{12}';

/** A domain of ECR's registries. */
export const DOMAIN = DOMAINS.map(domain => domain.replace(/\./g, '\\.')).join('|');

/** Between account and region: `dkr.ecr`, dual-stack `dkr-ecr`, each with FIPS or without. */
export const SERVICE = 'dkr[.-]ecr(?:-fips)?';

/** The host name of an account's registry in a region of this partition. */
export function ecrHost(account: string, region: string): string {
  return `${account}.dkr.ecr.${region}.${Aws.URL_SUFFIX}`;
}
