import { Refused } from './errors';
import type { Value } from './value';

/** AWS::Events::Rule InputTransformer. */
export interface InputTransformer {
  readonly InputPathsMap?: Record<string, string>;
  readonly InputTemplate: string;
}

const PLACEHOLDER = /<([^<>\s]+)>/g;
const PATH = /^\$(\.[A-Za-z0-9_/-]+(\[\d+\])*)*$/;
const PREDEFINED: Record<string, (event: Value, ruleArn: string) => Value> = {
  'aws.events.rule-arn': (_, ruleArn) => ruleArn,
  'aws.events.rule-name': (_, ruleArn) => ruleArn.split('/').pop(),
  'aws.events.event.ingestion-time': event => event.time,
  'aws.events.event.json': event => event,
};

/** What PutTargets refuses. */
export function checkInputTransformer(name: string, { InputPathsMap = {}, InputTemplate }: InputTransformer): void {
  if (!InputTemplate || InputTemplate.length > 8192) {
    throw new Refused(name, 'InputTemplate has 1 to 8192 characters', InputTemplate?.length);
  }
  for (const [key, path] of Object.entries(InputPathsMap)) {
    if (!/^[A-Za-z0-9_-]+$/.test(key) || key.startsWith('AWS.')) {
      throw new Refused(name, 'a key of InputPathsMap has letters, digits, _ and - only', key);
    }
    if (!PATH.test(path) || path.length > 256) {
      throw new Refused(name, `InputPathsMap.${key} must be a JSON path in dot notation`, path);
    }
  }
  for (const [, key] of InputTemplate.matchAll(PLACEHOLDER)) {
    if (!(key in InputPathsMap) && !(key in PREDEFINED)) {
      throw new Refused(name, 'InputTemplate contains an invalid placeholder', key);
    }
  }
}

/**
 * Fills a template as EventBridge does: inside a JSON string a value goes in as it is, nothing escaped, and quotes of an
 * object dropped; elsewhere as JSON. A path the event does not have gives nothing inside a string, `""` elsewhere.
 */
export function transformInput({ InputPathsMap = {}, InputTemplate }: InputTransformer, event: Value, ruleArn: string): string {
  return InputTemplate.replace(PLACEHOLDER, (_, key: string, offset: number) => {
    const value = key in InputPathsMap ? atPath(event, InputPathsMap[key]) : PREDEFINED[key](event, ruleArn);
    if (!insideString(InputTemplate, offset)) {
      return JSON.stringify(value ?? '');
    }
    return typeof value === 'object' ? JSON.stringify(value).replace(/"/g, '') : String(value ?? '');
  });
}

/** The value at a JSON path such as `$.detail.image-tag`. */
export function atPath(event: Value, path: string): Value {
  return path.split(/[.[\]]/).slice(1).filter(part => part !== '').reduce((value, part) => value?.[part], event);
}

function insideString(template: string, offset: number): boolean {
  return (template.slice(0, offset).replace(/\\./gs, '').split('"').length - 1) % 2 === 1;
}
