import * as fc from 'fast-check';

const IS_FULL = process.env.FUZZ === 'full';

/** How many to draw: `npx projen test:fuzz` draws the full figure. */
export const howMany = (usually: number, full: number) => IS_FULL ? full : usually;

export const FUZZ_SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);

const RUN = 'touch canary';
/** What leaves a file in the folder it runs in, where a shell or Python ever gets to read it as its own. */
export const INJECTIONS = [
  `;${RUN};`, `&&${RUN};`, `|${RUN};`, `&${RUN}&`, `\n${RUN}\n`, `\r\n${RUN}\r\n`, `$(${RUN})`, `\`${RUN}\``, '$(touch${IFS}canary)', '>canary', '<(touch canary)',
  `";${RUN};"`, `"$(${RUN})"`, `';${RUN};'`, `\\";${RUN};\\"`, `"; fi; ${RUN}; if true; then : "`, `#\n${RUN} #`, `\${x:-$(${RUN})}`, `$((a[$(${RUN})]))`,
  `\nSETTINGS\n${RUN}\n`, `\nPROGRAM\n${RUN}\n`, `\nSETTINGS\nPROGRAM\n${RUN}\n`, '\nSETTINGS\nopen("canary","w")\nPROGRAM\n',
  `');__import__('os').system('${RUN}')#`, '");open("canary","w");("', `'+__import__('os').system('${RUN}')+'`,
];
const STRANGE = [
  '{{ Pushed }}', '{{ Images }}', '{{ global:REGION }}', '{{', '}}', '<tag>', '<aws.events.event.json>', '${AWS::AccountId}', '${Token[TOKEN.1]}', '%s%n', '\\', '\\u0000', '\\x00',
  '"', '\'', '`', '$', '*', '?', '[a-z]', '~', '!', '#', '=', ',', ' ', '\t', '\n', '\r', '\u0000', '\u007f', '\u0085', '\u2028', '\u2029', '\ufeff', '\u202e', '\ud800', '\udfff',
  'é', 'ß', 'а', '٣', '１', '𝟙', '²', 'ı', 'K', '😀', '\\nSETTINGS\\ntouch canary', '\nOwner=other\n', '\nImage=docker.io/library/busybox:1\n', '../../etc/passwd', '-rf', '--help', '"],"Repository":["x', '":{"a":"', '&include=*', '?newest=1', '@sha256:', ':', '//', '..', '__proto__', 'null',
];
export const hostile = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...INJECTIONS) },
  { weight: 4, arbitrary: fc.constantFrom(...STRANGE) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 2, arbitrary: fc.string({ unit: fc.constantFrom(...'aZ09._-/:@=&$`"\'\\;|<>(){}#\n '), maxLength: 12 }) },
);
const long = fc.tuple(fc.constantFrom('a', '0', 'a.', 'a/', '-', '&include=*', '😀'), fc.constantFrom(64, 128, 129, 255, 256, 512, 513, 5_000)).map(([text, times]) => text.repeat(times));

/** Right values, and such values with something in them that is not meant to be there. */
export function spoiled(right: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.constantFrom('none', 'in', 'in', 'in', 'before', 'after', 'instead', 'cut', 'twice', 'case');
  const something = fc.oneof({ weight: 30, arbitrary: hostile }, { weight: 1, arbitrary: long });
  return fc.tuple(right, something, fc.nat(), change).map(([text, other, at, how]) => {
    const place = at % (text.length + 1);
    const [start, end] = [text.slice(0, place), text.slice(place)];
    switch (how) {
      case 'in': return start + other + end;
      case 'before': return other + text;
      case 'after': return text + other;
      case 'instead': return other;
      case 'cut': return start + end.slice(1);
      case 'twice': return text + text;
      case 'case': return start + end.toUpperCase();
      default: return text;
    }
  });
}
