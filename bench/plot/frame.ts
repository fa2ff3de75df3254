/** What the plots have in common: colours that fit GitHub's light and dark pages, and text. */
export const WIDTH = 760;

const COLOURS = [['#0969da', '#4493f8'], ['#cf222e', '#f85149'], ['#1a7f37', '#3fb950'], ['#8250df', '#ab7df8'], ['#9a6700', '#d29922'], ['#59636e', '#9198a1'], ['#bf3989', '#db61a2']];

export const MOST_COLOURS = COLOURS.length;

export function svg(height: number, label: string, content: string[]): string {
  const colours = (shade: 0 | 1) => COLOURS.map((pair, at) => `.s${at} { stroke: ${pair[shade]} } .f${at} { fill: ${pair[shade]} }`).join(' ');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(label)}">`,
    '  <style>',
    '    .page { fill: #ffffff } text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-size: 14px; font-weight: 600 } .small { fill: #59636e }',
    '    .middle { text-anchor: middle } .end { text-anchor: end } .grid { stroke: #d1d9e0 } .line { fill: none; stroke-width: 2 } .limit { stroke: #59636e; stroke-dasharray: 4 3 }',
    `    ${colours(0)}`,
    `    @media (prefers-color-scheme: dark) { .page { fill: #0d1117 } text { fill: #f0f6fc } .small { fill: #9198a1 } .grid { stroke: #3d444d } .limit { stroke: #9198a1 } ${colours(1)} }`,
    '  </style>',
    // The reader's system says dark, the page that shows this may be light all the same.
    `  <rect class="page" width="${WIDTH}" height="${height}" rx="6"/>`,
    ...content.map(each => `  ${each}`),
    '</svg>',
    '',
  ].join('\n');
}

export function text(x: number, y: number, words: string, classes = ''): string {
  return `<text x="${round(x)}" y="${round(y)}"${classes && ` class="${classes}"`}>${escape(words)}</text>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, classes: string): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" class="${classes}"/>`;
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(words: string): string {
  return words.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`);
}
