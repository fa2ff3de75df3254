import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { gunzipSync } from 'node:zlib';

const ROOT = path.join(__dirname, '..');

interface Documented {
  readonly name: string;
  readonly optional?: boolean;
  readonly type?: { primitive?: string };
  readonly docs?: { summary?: string; remarks?: string; default?: string };
}

interface Type extends Documented {
  readonly datatype?: boolean;
  readonly methods?: Documented[];
  readonly properties?: Documented[];
  readonly members?: Documented[];
}

/** The compiled description of the public API: as the build left it when it is of this source, else compiled in a copy. */
function assembly(): { types: { [fqn: string]: Type } } {
  const built = path.join(ROOT, '.jsii.gz');
  const newest = Math.max(...fs.readdirSync(path.join(ROOT, 'src')).map(file => fs.statSync(path.join(ROOT, 'src', file)).mtimeMs));
  if (fs.existsSync(built) && fs.statSync(built).mtimeMs > newest) {
    return read(built);
  }

  const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'public-docs-'));
  try {
    for (const name of ['src', 'package.json', 'README.md', 'LICENSE']) {
      fs.cpSync(path.join(ROOT, name), path.join(copy, name), { recursive: true });
    }
    fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(copy, 'node_modules'));
    const { status, stdout, stderr } = spawnSync(process.execPath, [require.resolve('jsii/bin/jsii'), '--compress-assembly'], { cwd: copy, encoding: 'utf8' });
    if (status !== 0) {
      throw new Error(`jsii does not compile the library: ${stdout}${stderr}`);
    }
    return read(path.join(copy, '.jsii.gz'));
  } finally {
    fs.rmSync(copy, { recursive: true });
  }
}

function read(file: string): { types: { [fqn: string]: Type } } {
  return JSON.parse(gunzipSync(fs.readFileSync(file)).toString());
}

let types: Type[];
let members: (Documented & { path: string })[];

beforeAll(() => {
  types = Object.values(assembly().types);
  members = types.flatMap(type => [...type.properties ?? [], ...type.methods ?? [], ...type.members ?? []]
    .map(member => ({ ...member, path: `${type.name}.${member.name}` })));
}, 120_000);

test('there is a public API to look at', () => {
  expect(types.map(type => type.name)).toEqual(expect.arrayContaining(['ImagePrefetcher', 'ImagePrefetcherProps', 'ImageSelection', 'NodeSelection', 'TagFilter']));
});

test('every public type and member says what it is', () => {
  expect([
    ...types.filter(type => !type.docs?.summary).map(type => type.name),
    ...members.filter(member => !member.docs?.summary).map(member => member.path),
  ]).toEqual([]);
});

test('every optional property says what happens without it', () => {
  expect(members.filter(member => member.optional && !member.docs?.default).map(member => member.path)).toEqual([]);
});

test('every number says its range', () => {
  const numbers = members.filter(member => member.type?.primitive === 'number');
  expect(numbers.length).toBeGreaterThan(0);
  expect(numbers.filter(({ docs }) => !/\d.* to \d/s.test(`${docs?.summary} ${docs?.remarks}`)).map(member => member.path)).toEqual([]);
});
