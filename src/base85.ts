const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~';

/** A text of the data as Python's `base64.b85decode` reads it: four bytes in five characters, where base64 has three in four. */
export function base85(data: Buffer): string {
  const missing = (4 - data.length % 4) % 4;
  const padded = Buffer.concat([data, Buffer.alloc(missing)]);
  let text = '';
  for (let at = 0; at < padded.length; at += 4) {
    const word = padded.readUInt32BE(at);
    for (let power = 85 ** 4; power >= 1; power /= 85) {
      text += DIGITS[Math.floor(word / power) % 85];
    }
  }
  return text.slice(0, text.length - missing);
}
