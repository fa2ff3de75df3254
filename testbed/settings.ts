/** The settings in the script of a Command document, by name; the wanted images as one text. */
export function parseSettings(script: string[]): { [name: string]: string } {
  const lines = script.slice(script.findIndex(line => line.includes("<<'SETTINGS'")) + 1, script.indexOf('SETTINGS'));
  const settings: { [name: string]: string } = { Images: '' };
  for (const line of lines) {
    const [name, value] = [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)];
    if (name === 'Image') {
      settings.Images += `${settings.Images && ' '}${value}`;
    } else {
      settings[name] = value;
    }
  }
  return settings;
}
