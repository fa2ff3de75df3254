import * as fs from 'node:fs';
import * as path from 'node:path';

const DOCS = path.join(__dirname, '../docs');

/** A page of docs/ with its generated parts made anew: each stands between `<!-- generated: NAME -->` and `<!-- end of generated -->`. */
export function pageWith(file: string, parts: Record<string, () => string>): [file: string, text: string] {
  const page = path.join(DOCS, file);
  let text = fs.readFileSync(page, 'utf8');
  for (const [name, part] of Object.entries(parts)) {
    const marked = new RegExp(`(<!-- generated: ${name} -->\n)[^]*?(<!-- end of generated -->)`);
    if (!marked.test(text)) {
      throw new Error(`docs/${file} has no part <!-- generated: ${name} --> to put a table into`);
    }
    text = text.replace(marked, (_, begin, end) => `${begin}${part()}\n${end}`);
  }
  return [page, text];
}
