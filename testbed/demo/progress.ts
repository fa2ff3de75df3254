import type { Step } from '../aws';

/** Says on standard error what happens, with the seconds since the start. */
export class Progress {
  private readonly began = Date.now();

  say(text: string): void {
    process.stderr.write(`${((Date.now() - this.began) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
  }

  /** A step of the control plane. */
  readonly step = ({ what, text }: Step): void => {
    this.say(`         ${what.padEnd(20)} ${text.length > 180 ? `${text.slice(0, 180)}…` : text}`);
  };
}
