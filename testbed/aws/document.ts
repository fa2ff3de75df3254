import { Refused } from './errors';
import type { ParameterDefinition, ParameterValues } from './parameters';
import { NAME_IN_BRACES, checkParameters, substitute } from './parameters';
import type { Template } from './template';
import type { Value } from './value';
import { asSentByCloudFormation } from '../../src/command-document';

const MAX_BYTES = 64 * 1024;

/** An AWS::SSM::Document of a template. */
export class SsmDocument {
  readonly content: Value;
  readonly parameters: Record<string, ParameterDefinition>;

  constructor(readonly name: string, readonly type: 'Command' | 'Automation', content: Value, private readonly logicalId: string) {
    this.content = typeof content === 'string' ? JSON.parse(content) : content;
    this.parameters = this.content.parameters ?? {};
    const schema = type === 'Command' ? '2.2' : '0.3';
    if (this.content.schemaVersion !== schema) {
      throw new Refused(logicalId, `schemaVersion for ${type} documents must be ${schema}`, this.content.schemaVersion);
    }
    if (!/^[A-Za-z0-9_.-]{3,128}$/.test(name)) {
      throw new Refused(logicalId, 'a document name matches ^[A-Za-z0-9_.-]{3,128}$', name);
    }
    this.checkBraces(this.content.mainSteps);
    this.checkSize({});
  }

  /** Checks what was given against the document's parameters, and fills in the defaults. */
  withDefaults(given: ParameterValues): ParameterValues {
    this.checkSize(given);
    return checkParameters(this.name, this.parameters, given);
  }

  private checkSize(given: ParameterValues): void {
    const bytes = Buffer.byteLength(asSentByCloudFormation(this.content)) + Buffer.byteLength(JSON.stringify(given));
    if (bytes > MAX_BYTES) {
      throw new Refused(this.logicalId, `document and run-time parameters together have at most ${MAX_BYTES} bytes`, bytes);
    }
  }

  // SSM takes every pair of double braces for a parameter, so a program that has any other use for them breaks.
  private checkBraces(value: Value): void {
    if (typeof value === 'string') {
      for (const [, name] of value.matchAll(NAME_IN_BRACES)) {
        if (!(name in this.parameters) && !(this.type === 'Automation' && name.includes(':'))) {
          throw new Refused(this.logicalId, 'InvalidDocumentContent: undefined parameter', name);
        }
      }
      const stray = /.{0,30}(\{\{|\}\}).{0,30}/.exec(value.replace(NAME_IN_BRACES, ''));
      if (stray) {
        throw new Refused(this.logicalId, 'double braces may only hold a parameter name', stray[0]);
      }
    } else if (value !== null && typeof value === 'object') {
      Object.values(value).forEach(item => this.checkBraces(item));
    }
  }
}

/** The documents of a template, by name. */
export function documentsOf(template: Template): Map<string, SsmDocument> {
  return new Map(template.resources('AWS::SSM::Document').map(({ logicalId, properties }) => {
    if ((properties.DocumentFormat ?? 'JSON') !== 'JSON') {
      throw new Refused(logicalId, 'this stand-in reads JSON documents only', properties.DocumentFormat);
    }
    const name = template.ref(logicalId);
    return [name, new SsmDocument(name, properties.DocumentType ?? 'Command', properties.Content, logicalId)];
  }));
}

/** What the agent of one node does with a document. */
export interface RenderedCommand {
  readonly script: string;
  readonly env: Record<string, string>;
  readonly timeoutSeconds: number;
}

/** Who runs it. */
export interface Agent {
  readonly platform: string;
  /** An `old` agent (before 3.3.2746) hands no parameter over as an environment variable. */
  readonly version: 'current' | 'old';
  /** What the agent itself puts into the environment. */
  readonly env: Record<string, string>;
}

/** Renders a Command document as the SSM agent does; undefined when the precondition rules the node out. */
export function renderCommand(document: SsmDocument, values: ParameterValues, agent: Agent): RenderedCommand | undefined {
  const [step, ...others] = document.content.mainSteps;
  if (others.length > 0 || step.action !== 'aws:runShellScript') {
    throw new Refused(document.name, 'this stand-in runs documents of one aws:runShellScript step', document.content.mainSteps.length);
  }
  for (const [operator, operands] of Object.entries<string[]>(step.precondition ?? {})) {
    if (operator !== 'StringEquals' || operands[0] !== 'platformType') {
      throw new Refused(document.name, 'this stand-in knows only the precondition StringEquals platformType', step.precondition);
    }
    if (operands[1] !== agent.platform) {
      return undefined;
    }
  }
  const inputs = substitute(step.inputs, values);
  const seconds = Number(inputs.timeoutSeconds);
  const env = { ...agent.env };
  if (agent.version === 'current') {
    for (const [name, definition] of Object.entries(document.parameters)) {
      if (definition.interpolationType === 'ENV_VAR') {
        env[`SSM_${name}`] = String(values[name]);
      }
    }
  }
  return {
    script: `${[inputs.runCommand].flat(2).join('\n')}\n`,
    env,
    // Outside these bounds the agent silently takes an hour.
    timeoutSeconds: seconds >= 5 && seconds <= 172800 ? Math.trunc(seconds) : 3600,
  };
}
