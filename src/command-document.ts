import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duration } from 'aws-cdk-lib';
import { Fn, Lazy, Stack, Token, Tokenization } from 'aws-cdk-lib';
import { CfnDocument } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { secondsOf } from './durations';
import { estimatedLength } from './estimated-length';

/**
 * assets/image_prefetcher.py, by bzip2 and base 85. Braces side by side would be a parameter to Systems Manager, after a $ one
 * to CloudFormation: Python joins literals.
 */
const PACKED_PROGRAM = readFileSync(join(__dirname, '..', 'assets', 'image_prefetcher.packed'), 'ascii').replace(/([{}])(?=\1)|\$(?=\{)/g, "$&' '");

/** What one prefetcher wants of the node program. */
export interface NodeProgramSettings {
  /** Which prefetcher this is: pins on a node and lines of reports carry it. */
  readonly owner: string;
  /** The wanted list (wanted-images.ts). */
  readonly images: string[];
  readonly parallelPulls: number;
  readonly pinImages: boolean;
  readonly maxDiskUsage: number;
  readonly timeout: Duration;
  /** Where the node program reports. */
  readonly logGroupName: string;
}

/** https://docs.aws.amazon.com/general/latest/gr/ssm.html */
const DOCUMENT_SIZE = 65_536;

/** The 64 KB hold the parameters of a run, too: a pushed image of 512 characters, and names and values of the others. */
const RUN_TIME_PARAMETERS = 1_000;

const REVISION_LENGTH = 16;

/** As events have it, or nothing. */
export const PUSHED_AT_PATTERN = '^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$';

/**
 * What differs from run to run. Every value is input from outside: these patterns, which Java and Go must read alike, leave no
 * character that means something to a shell.
 */
export const RUN_TIME_PARAMETERS_OF_COMMAND: {
  readonly [name: string]: { readonly description: string; readonly default: string; readonly allowedPattern: string };
} = {
  Pushed: {
    description: 'The image that was just pushed; empty to bring the node to the whole list',
    default: '',
    allowedPattern: '^([A-Za-z0-9.-]+/[a-z0-9._/-]{1,255}:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$',
  },
  PushedAt: {
    description: 'When it was pushed, in UTC',
    default: '',
    allowedPattern: PUSHED_AT_PATTERN,
  },
  Revision: {
    description: 'The revision of this document that the caller expects; empty for any',
    default: '',
    allowedPattern: `^([0-9a-f]{${REVISION_LENGTH}})?$`,
  },
  StartDelaySeconds: {
    description: 'Up to how many seconds a run waits before it begins, so that nodes do not ask in step',
    default: '0',
    allowedPattern: '^([0-9]|[1-9][0-9]|1[01][0-9]|120)$',
  },
};

/**
 * The SSM document that carries the node program and what this prefetcher wants. Rule, association and boot gate all run this
 * one document, so there is one place to look at, and State Manager runs it again on every node when it changes.
 */
export class CommandDocument extends Construct {
  public readonly documentName: string;
  public readonly document: CfnDocument;

  /** Hash of the content. A caller passes it on, so that a node can tell that it runs an older one. */
  public readonly revision: string;

  constructor(scope: Construct, id: string, settings: NodeProgramSettings) {
    super(scope, id);

    const size = estimatedLength(asSentByCloudFormation(this.content(settings, 'x'.repeat(REVISION_LENGTH), settings.images)));
    if (size > DOCUMENT_SIZE - RUN_TIME_PARAMETERS) {
      const list = estimatedLength(settings.images.join(' '));
      throw new Error(`the list of wanted images of '${scope.node.path}' must fit into an SSM document beside the node program, in ${DOCUMENT_SIZE - RUN_TIME_PARAMETERS - size + list} characters, got about ${list}: split the images over several ImagePrefetchers`);
    }

    const images = settings.images.map(onOneLine);
    this.revision = Lazy.string({
      produce: () => createHash('sha256').update(JSON.stringify(Stack.of(this).resolve(this.content(settings, '', images)))).digest('hex').slice(0, REVISION_LENGTH),
    });
    this.document = new CfnDocument(this, 'Resource', {
      documentType: 'Command', content: this.content(settings, this.revision, images), updateMethod: 'NewVersion', targetType: '/AWS::EC2::Instance',
    });
    this.documentName = this.document.ref;
  }

  private content(settings: NodeProgramSettings, revision: string, images: string[]) {
    const seconds = secondsOf(settings.timeout);
    return {
      schemaVersion: '2.2',
      description: 'Keeps container images on an EKS node before pods need them (cdk-eks-image-prefetcher)',
      parameters: Object.fromEntries(Object.entries(RUN_TIME_PARAMETERS_OF_COMMAND).map(([name, parameter]) =>
        [name, { type: 'String', ...parameter, interpolationType: 'ENV_VAR' }])),
      mainSteps: [{
        name: 'prefetchImages',
        action: 'aws:runShellScript',
        precondition: { StringEquals: ['platformType', 'Linux'] },
        inputs: {
          timeoutSeconds: seconds,
          runCommand: script([
            `Owner=${settings.owner}`,
            `Revision=${revision}`,
            `ParallelPulls=${onOneLine(Tokenization.stringifyNumber(settings.parallelPulls))}`,
            `PinImages=${settings.pinImages}`,
            `MaxDiskUsage=${onOneLine(Tokenization.stringifyNumber(settings.maxDiskUsage))}`,
            `TimeoutSeconds=${onOneLine(seconds)}`,
            `LogGroup=${onOneLine(settings.logGroupName)}`,
            `Region=${Stack.of(this).region}`,
            ...images.map(image => `Image=${image}`),
          ]),
        },
      }],
    };
  }
}

/**
 * Python reads the program from its standard input, and the settings from file descriptor 3. Arguments are the boot gate's.
 * Isolated (-I): of no folder or variable that somebody set; without site packages (-S).
 */
function script(settings: string[]): string[] {
  // Agents older than 3.3.2746 paste parameters in instead of exporting them.
  const names = Object.keys(RUN_TIME_PARAMETERS_OF_COMMAND);
  const exportForOldAgents = [...names.map(name => `: \${SSM_${name}="{{ ${name} }}"}`), `export ${names.map(name => `SSM_${name}`).join(' ')}`];
  return [
    ...exportForOldAgents,
    "exec python3 -IS - \"$@\" 3<<'SETTINGS' <<'PROGRAM'",
    ...settings,
    'SETTINGS',
    '# assets/image_prefetcher.py of cdk-eks-image-prefetcher, compressed: a document has no room for it as it is.',
    'import base64, bz2',
    `exec(compile(bz2.decompress(base64.b85decode('${PACKED_PROGRAM}')), 'image_prefetcher.py', 'exec'))`,
    'PROGRAM',
  ];
}

/** A value that comes from elsewhere must not be able to end its line, and with it the here-document: the node program refuses a \\. */
function onOneLine(value: string): string {
  return Token.isUnresolved(value) ? Fn.join('\\n', Fn.split('\n', value)) : value.replace(/\n/g, '\\n');
}

/**
 * The text that CloudFormation makes of a JSON object, and whose characters count: indented as Jackson's pretty printer does
 * it, objects line by line, lists on one line.
 */
export function asSentByCloudFormation(value: any, indent = ''): string {
  if (Array.isArray(value)) {
    return value.length === 0 ? '[ ]' : `[ ${value.map(item => asSentByCloudFormation(item, indent)).join(', ')} ]`;
  }
  if (value === null || typeof value !== 'object') {
    return JSON.stringify(value);
  }
  const inner = `${indent}  `;
  const fields = Object.entries(value).map(([key, item]) => `${inner}${JSON.stringify(key)} : ${asSentByCloudFormation(item, inner)}`);
  return fields.length === 0 ? '{ }' : `{\n${fields.join(',\n')}\n${indent}}`;
}
