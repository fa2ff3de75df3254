export interface TarEntry {
  readonly name: string;
  /** A folder has neither content nor link. */
  readonly size?: number;
  readonly content?: Iterable<Buffer>;
  readonly link?: string;
}

const BLOCK = 512;

/** A tar archive (ustar), the same bytes every time. */
export function* tar(entries: TarEntry[]): Generator<Buffer> {
  for (const entry of entries) {
    yield header(entry);
    if (entry.content) {
      yield* entry.content;
      yield Buffer.alloc((BLOCK - (entry.size! % BLOCK)) % BLOCK);
    }
  }
  yield Buffer.alloc(2 * BLOCK);
}

function header(entry: TarEntry): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, length: number) => value.toString(8).padStart(length - 1, '0');
  block.write(entry.name, 0);
  block.write(octal(0o755, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(entry.size ?? 0, 12), 124);
  block.write(octal(0, 12), 136);
  block.write('        ', 148);
  block.write(entry.link ? '2' : entry.content ? '0' : '5', 156);
  block.write(entry.link ?? '', 157);
  block.write('ustar\x0000', 257);
  block.write(octal(block.reduce((sum, byte) => sum + byte, 0), 7), 148);
  block.write('\0 ', 154);
  return block;
}
