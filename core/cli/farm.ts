/** Several trainings dealt out to processes, with the output of one. */

import type { Fleet } from "../fleet/fleet.ts";
import { UsageError } from "../job/options.ts";
import { factsOfSeveral, hashOf } from "../job/processes.ts";
import type { TrainingRun } from "../job/training_run.ts";
import { agree, compare, gatherFindings, ofAll } from "../train/together.ts";
import { lineOf } from "./hints.ts";
import { stderr, stdout } from "./stream.ts";

/** What came of a training, in the order in which one process would have come to it. */
interface Entry<T> {
  readonly index: number;
  readonly found?: T;
  readonly error?: { readonly line: string; readonly isUsage: boolean };
  /** What was written meanwhile, to the log too. */
  readonly out: string;
  readonly err: string;
  readonly log?: string;
}

/** How several trainings are run. */
interface Farming<T> {
  readonly seeds: number;
  /** Runs a training, and keeps what it logs in `lines`, if there are some; with a code that is not 0 it is the last. */
  readonly each: (run: TrainingRun, isFirst: boolean, lines?: string[]) => Promise<T>;
  readonly addToLog: (lines: string) => Promise<void>;
}

/**
 * Runs each training in one of the processes. What they write is written by the first of them, in the order of the trainings, of
 * which the very first is shown while it runs.
 *
 * @throws {Error} What the first that failed was refused for; in all processes, if they do not have the same trainings.
 */
export async function farmOut<T extends { readonly code: number }>(
  fleet: Fleet,
  trainings: AsyncGenerator<TrainingRun>,
  { seeds, each, addToLog }: Farming<T>,
): Promise<T[]> {
  let next = await trainings.next(), last: TrainingRun | undefined;
  if (!next.done) agree(fleet, await factsOfSeveral(next.value, seeds));
  const own: Entry<T>[] = [];
  let index = 0, ends: (() => string)[] = [];
  const texts = () => {
    const [out = "", err = ""] = ends.map((end) => end());
    ends = [];
    return { out, err };
  };
  try {
    for (; !next.done; next = await trainings.next()) {
      const run = last = next.value;
      if (index % fleet.size === fleet.rank) {
        if (index > 0) ends = [stdout.capture(), stderr.capture()];
        const lines: string[] | undefined = index > 0 ? [] : undefined, found = await each(run, index === 0, lines);
        own.push({ index, found, ...texts(), log: lines?.join("") });
        if (found.code) break;
      }
      index++;
    }
  } catch (error) {
    own.push({ index, error: { line: lineOf(error), isUsage: error instanceof UsageError }, ...texts() });
  }
  // The last of the trainings may have data that the first has not: those of windows that move forward in time.
  const ended = next.done ? last?.data : undefined;
  const facts = ended && { data: await hashOf(ended.train), test: await hashOf(ended.own?.test) };
  const found = gatherFindings(fleet, { own, ...facts });
  compare(fleet, found);
  const all = found.flatMap(({ own }) => own).sort((a, b) => a.index - b.index), results: T[] = [];
  for (const { found, error, out, err, log } of all) {
    if (log && fleet.rank === 0) await addToLog(log);
    if (out) stdout.write(out);
    if (err) stderr.write(err);
    if (error) throw ofAll(error.isUsage ? new UsageError(error.line) : new Error(error.line));
    results.push(found!);
    if (found!.code) break;
  }
  return results;
}
