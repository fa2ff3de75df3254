import { readFileSync } from 'fs';
import { join } from 'path';
import { CfnDocument } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { estimatedLength } from './estimated-length';

/** The source of the node program. */
export const NODE_PROGRAM = readFileSync(join(__dirname, '..', 'assets', 'image_prefetcher.py'), 'utf-8');

/** What the node program is told, at every of its moments: the parameters of the Command document. */
export interface NodeProgramParameters {
  /** Which prefetcher this is: pins on a node carry it. */
  readonly Owner: string;
  /** The wanted list (wanted-images.ts). */
  readonly Images: string;
  readonly ParallelPulls: string;
  readonly PinImages: string;
  readonly MaxDiskUsage: string;
  readonly TimeoutSeconds: string;
  /** The image that was just pushed; empty but where a push starts the run. */
  readonly Pushed: string;
}

/** A document and its run-time parameters (a pushed image) together may have 64 KB. https://docs.aws.amazon.com/general/latest/gr/ssm.html */
const DOCUMENT_SIZE = 65_536 - 1_000;

const WORD = '[A-Za-z0-9][A-Za-z0-9._:/@,?=&*-]*';

/** Every value is input from outside: these patterns leave no character that means something to a shell. */
const PARAMETERS: { [name in keyof NodeProgramParameters]: { description: string; allowedPattern: string } } = {
  Owner: { description: 'The ImagePrefetcher that asks', allowedPattern: '^[A-Za-z0-9_.-]{1,64}$' },
  Images: { description: 'The wanted images, in order of priority', allowedPattern: `^(${WORD}( ${WORD})*)?$` },
  ParallelPulls: { description: 'Pulls side by side', allowedPattern: '^([1-9]|1[0-6])$' },
  PinImages: { description: 'Whether the kubelet may not evict the wanted images', allowedPattern: '^(true|false)$' },
  MaxDiskUsage: { description: 'Percent of the image filesystem that no pull may go past', allowedPattern: '^([1-9][0-9]?|100)$' },
  TimeoutSeconds: { description: 'How long a run may take', allowedPattern: '^[1-9][0-9]{1,5}$' },
  Pushed: {
    description: 'The image that was just pushed; empty to bring the node to the whole list',
    allowedPattern: '^([A-Za-z0-9.-]+/[a-z0-9._/-]{1,256}:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$',
  },
};

/**
 * The SSM document that carries the node program and, as the defaults of its parameters, what this prefetcher wants. Rule,
 * association and boot gate all run this one document, so there is one place to look at, and State Manager runs it
 * again on every node when it changes.
 */
export class CommandDocument extends Construct {
  public readonly documentName: string;

  constructor(scope: Construct, id: string, parameters: NodeProgramParameters) {
    super(scope, id);

    const content = {
      schemaVersion: '2.2',
      description: 'Keeps container images on an EKS node before pods need them (cdk-eks-image-prefetcher)',
      parameters: Object.fromEntries(Object.entries(PARAMETERS).map(([name, parameter]) =>
        [name, { type: 'String', ...parameter, default: parameters[name as keyof NodeProgramParameters], interpolationType: 'ENV_VAR' }])),
      mainSteps: [{
        name: 'prefetchImages',
        action: 'aws:runShellScript',
        precondition: { StringEquals: ['platformType', 'Linux'] },
        inputs: { timeoutSeconds: parameters.TimeoutSeconds, runCommand: script() },
      }],
    };
    const size = estimatedLength(JSON.stringify(content));
    if (size > DOCUMENT_SIZE) {
      const list = estimatedLength(parameters.Images);
      throw new Error(`the list of wanted images must fit into an SSM document beside the node program, in ${DOCUMENT_SIZE - size + list} characters, got about ${list}: split the images over several ImagePrefetchers`);
    }

    const document = new CfnDocument(this, 'Resource', { documentType: 'Command', content, updateMethod: 'NewVersion', targetType: '/AWS::EC2::Instance' });
    this.documentName = document.ref;
  }
}

/** The program on the standard input of Python (the boot gate gives it an argument). Agents older than 3.3.2746 paste parameters in instead of exporting them. */
function script(): string[] {
  const exportForOldAgents = Object.keys(PARAMETERS).map(name => `if [ -z "\${SSM_${name}+x}" ]; then export SSM_${name}="{{ ${name} }}"; fi`);
  return [...exportForOldAgents, "exec python3 - \"$@\" <<'PYTHON'", ...NODE_PROGRAM.trimEnd().split('\n'), 'PYTHON'];
}
