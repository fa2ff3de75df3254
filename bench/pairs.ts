import type { Samples } from './row';

export interface Contender {
  readonly name: string;
  /** What is measured; a number it gives is the sample, else the seconds it took. */
  run(round: number): Promise<number | void>;
  /** Undoes it; not measured. */
  forget?(): Promise<void>;
}

/** Runs contenders in turns, each time another one first, so that what else this machine does falls on all alike. */
export async function inTurns(rounds: number, ...contenders: Contender[]): Promise<Samples> {
  const samples: Samples = Object.fromEntries(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const { name, run, forget } = contenders[(round + turn) % contenders.length];
      const began = process.hrtime.bigint();
      const value = await run(round);
      samples[name].push(value ?? Number(process.hrtime.bigint() - began) / 1e9);
      await forget?.();
    }
  }
  return samples;
}
