import * as fs from 'node:fs';
import * as path from 'node:path';
import { isDeepStrictEqual } from 'node:util';

type Templates = Map<string, any>;

/** The templates of a cloud assembly, by the names of their files. */
export function templatesOf(assembly: string): Templates {
  return new Map(fs.readdirSync(assembly).filter(file => file.endsWith('.template.json')).sort()
    .map(file => [file, JSON.parse(fs.readFileSync(path.join(assembly, file), 'utf8'))]));
}

/** What differs, a line each; resource by resource, so that the first look tells which. */
export function differences(expected: Templates, got: Templates): string[] {
  return [...new Set([...expected.keys(), ...got.keys()])].flatMap(file => {
    if (!expected.has(file) || !got.has(file)) {
      return [`${file} is ${got.has(file) ? 'not in the twin' : 'missing'}`];
    }
    return ['Resources', 'Outputs', 'Parameters', 'Conditions', 'Mappings', 'Rules'].flatMap(section =>
      differing(expected.get(file)[section] ?? {}, got.get(file)[section] ?? {}).map(id => `${file}: ${section}.${id}`));
  });
}

function differing(expected: any, got: any): string[] {
  return [...new Set([...Object.keys(expected), ...Object.keys(got)])].flatMap(id => isDeepStrictEqual(expected[id], got[id])
    ? [] : [`${id}: ${firstDifference(expected[id], got[id])}`]);
}

function firstDifference(expected: any, got: any, at = ''): string {
  if (expected && got && typeof expected === 'object' && typeof got === 'object') {
    const key = [...Object.keys(expected), ...Object.keys(got)].find(name => !isDeepStrictEqual(expected[name], got[name]))!;
    return firstDifference(expected[key], got[key], `${at}.${key}`);
  }
  return `${at} is ${JSON.stringify(got)?.slice(0, 200)}, in the twin ${JSON.stringify(expected)?.slice(0, 200)}`;
}

export function count(templates: Templates): number {
  return [...templates.values()].reduce((sum, template) => sum + Object.keys(template.Resources ?? {}).length, 0);
}
