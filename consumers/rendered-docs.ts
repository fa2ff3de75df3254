// What PyPI and Construct Hub show: both translate the README from what is in the npm tarball.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Documentation, Language } from 'jsii-docgen';
import { MAVEN, NAME, ROOT, OLDEST_CDK, tarball, wheel } from './built';
import { javaFolder } from './java';
import { pythonFolder } from './python';
import { shell } from './shell';
import type { Workshop } from './twin';

const TYPESCRIPT = /\bnew [A-Z]\w+\(|\bconst \w+ =|=> \{/;

export async function checkWheelReadme(): Promise<string> {
  const readme = await shell(ROOT, `unzip -p "${wheel()}" '*/METADATA'`);
  const examples = snippets(readme, 'python');
  checkLanguage('the wheel', examples, readme);
  return `${examples.length} examples in Python`;
}

/** As Construct Hub does: jsii-docgen on the tarball. What it shows must compile, too. */
export async function checkRenderedDocs(workshop: Workshop): Promise<string> {
  const docs = await Documentation.forPackage(tarball(), { verbose: false });
  const pages: { [language: string]: string } = {};
  try {
    for (const language of ['typescript', 'python', 'java']) {
      pages[language] = (await docs.toMarkdown({ language: Language.fromString(language), readme: true })).render();
    }
  } finally {
    await docs.cleanup();
  }
  for (const language of ['python', 'java']) {
    checkLanguage(`Construct Hub's page for ${language}`, snippets(readmeOf(pages[language]), language), pages[language]);
  }
  const python = snippets(readmeOf(pages.python), 'python');
  const java = snippets(readmeOf(pages.java), 'java');
  await checkPython(workshop, python);
  await checkJava(workshop, java);
  return `${java.length} Java examples compile, ${python.length} Python ones pass pyright`;
}

function checkLanguage(where: string, examples: string[], page: string): void {
  if (examples.length === 0) {
    throw new Error(`${where} has no example`);
  }
  if (page.includes('non-compiling source')) {
    throw new Error(`${where} calls its examples non-compiling`);
  }
  const foreign = examples.filter(example => TYPESCRIPT.test(example) && !example.includes(';\n') || /\bconst \w+ =/.test(example));
  if (foreign.length > 0) {
    throw new Error(`${where} has examples in TypeScript:\n${foreign[0]}`);
  }
}

/** The README; the reference of the API comes after it. */
function readmeOf(page: string): string {
  return page.split('# API Reference')[0];
}

/** Examples that were translated; the README has a few that it shows in one language on purpose, headed by a comment or import. */
function snippets(markdown: string, language: string): string[] {
  return [...markdown.matchAll(new RegExp('```' + language + '\\n([^]*?)\\n```', 'g'))].map(([, code]) => code);
}

interface Fixture {
  readonly modules: { alias: string; module: string }[];
  readonly constants: { name: string; module?: string; type: string }[];
}

/** What the examples take for granted, as rosetta has it. */
function fixture(): Fixture {
  const text = fs.readFileSync(path.join(ROOT, 'rosetta', 'default.ts-fixture'), 'utf8');
  return {
    modules: [...text.matchAll(/import \* as (\w+) from 'aws-cdk-lib\/([\w-]+)'/g)].map(([, alias, module]) => ({ alias, module })),
    constants: [...text.matchAll(/declare const (\w+): (?:(\w+)\.)?(\w+);/g)].map(([, name, module, type]) => ({ name, module, type })),
  };
}

async function checkPython(workshop: Workshop, examples: string[]): Promise<void> {
  const { modules, constants } = fixture();
  const { folder, pyright } = await pythonFolder(workshop, 'python-snippets', OLDEST_CDK);
  const snake = (name: string) => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
  const parameters = constants.map(({ name, module, type }) => `${snake(name)}: ${module ? `${module}.` : ''}${type}`).join(', ');
  const imports = ['from aws_cdk import *', 'from constructs import *', ...modules.map(({ alias, module }) => `from aws_cdk import ${module.replace(/-/g, '_')} as ${alias}`), `from ${NAME.replace(/-/g, '_')} import *`];
  fs.writeFileSync(path.join(folder, 'snippets.py'), [
    ...imports,
    ...examples.map((example, index) => `\ndef snippet_${index}(self: Stack, ${parameters}) -> None:\n${example.replace(/^(?=.)/gm, '    ')}\n`),
  ].join('\n'));
  // Names, attributes and keywords count; aws-cdk-lib's own Role is no IRole to pyright, and some attributes may be None.
  await pyright({ include: ['snippets.py'], reportWildcardImportFromLibrary: false, reportArgumentType: false });
}

async function checkJava(workshop: Workshop, examples: string[]): Promise<void> {
  const { modules, constants } = fixture();
  const { folder, maven } = javaFolder(workshop, 'java-snippets');
  const sources = path.join(folder, 'src', 'main', 'java', 'example');
  fs.rmSync(sources, { recursive: true });
  fs.mkdirSync(sources);
  const packages = ['software.amazon.awscdk', 'software.constructs', javaPackage(), ...modules.map(({ module }) => `software.amazon.awscdk.services.${javaModule(module)}`)];
  // Fields, which an example may hide by a variable of its own.
  const fields = constants.map(({ name, type }) => `  ${type} ${name};`).join('\n');
  for (const [index, example] of examples.entries()) {
    const own = example.match(/^import .*;$/gm) ?? [];
    fs.writeFileSync(path.join(sources, `Snippet${index}.java`), `package example;
import java.util.List;
import java.util.Map;
${packages.map(name => `import ${name}.*;`).join('\n')}
${own.join('\n')}
class Snippet${index} extends Stack {
${fields}

  Snippet${index}(final Construct scope, final String id) {
    super(scope, id);
${example.replace(/^import .*;$/gm, '')}
  }
}
`);
  }
  // What lint says of an example out of its class is no matter.
  await shell(folder, `sed -i '/-Werror/d' pom.xml && ${maven} compile`);
}

function javaPackage(): string {
  return JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')).jsii.targets.java.package ?? MAVEN.groupId;
}

/** aws-ecr-assets is ecr.assets, but aws-eks-v2 is eks_v2. */
function javaModule(module: string): string {
  return module.replace('aws-', '').replace(/-(?=v\d)/, '_').replace(/-/g, '.');
}
