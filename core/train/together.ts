/** Processes that train together: what they agree on before the first step, and how they stop. */

import { hashDataset } from "../data/hash.ts";
import { toHex } from "../engine.ts";
import { errorCause, errorCode, fail } from "../errors.ts";
import { type Fleet, gatherTexts, processName, startsOf } from "../fleet/fleet.ts";
import { internalsOf, type NetworkModel } from "../model/model.ts";
import type { Position } from "./position.ts";
import { VERSION } from "../version.ts";
import type { TrainingData } from "./batch_source.ts";

/** What all processes must have alike, and how it is called where they have not. */
const FACTS = {
  trainings: () => "runs other trainings than process 0: --seeds, --folds and --walk-forward must be the same",
  version: (theirs: string, ours: string) => `runs Grutto ${theirs}, process 0 runs ${ours}`,
  arithmetic: (theirs: string, ours: string) =>
    `computes with ${theirs} SIMD, process 0 with ${ours}: --simd plain on all`,
  model: () => "has another model than process 0",
  options: () => "trains with other options than process 0",
  data: () => "has other data than process 0",
  validation: () => "has other validation data than process 0",
  test: () => "has other test data than process 0",
  parameters: () => "begins with other parameters than process 0",
  position: () => "resumes at another place than process 0",
};

/** What one of them has; a fact that is left out is not compared. */
export type Facts = { readonly [Name in keyof typeof FACTS]?: string };

/** What a process says at the meeting: what it is about to do, or why it cannot. */
interface Said {
  readonly facts?: Facts;
  readonly error?: string;
}

const ACTION = "train together";

/** The fleets whose processes have met. */
const met = new WeakSet<Fleet>();

/** Whether all processes have met already: what fails afterwards leaves the others waiting. */
export function haveMet(fleet: Fleet): boolean {
  return met.has(fleet);
}

/** What each of the processes has found, where each did something else: in place of a meeting. */
export function gatherFindings<T>(fleet: Fleet, own: T): T[] {
  met.add(fleet);
  return gatherTexts(fleet, JSON.stringify(own, packed)).map((text) => JSON.parse(text, unpacked) as T);
}

/** Arrays of float32 as JSON. */
function packed(_: string, value: unknown): unknown {
  return value instanceof Float32Array ? { float32: [...value] } : value;
}

function unpacked(_: string, value: { readonly float32?: readonly number[] } | null): unknown {
  return value?.float32 ? Float32Array.from(value.float32) : value;
}

/**
 * What all processes say: each comes here once, with what it is about to do or with an error.
 *
 * @throws {Error} In all of them alike, if one has failed or is about to do something else.
 */
function meet(fleet: Fleet, own: Said): void {
  const all = gatherFindings(fleet, own), failed = all.findIndex(({ error }) => error !== undefined);
  if (failed >= 0) throw refusal(fleet, failed, `failed: ${all[failed]!.error}`);
  compare(fleet, all.map(({ facts }) => facts!));
}

/**
 * Makes sure that facts are the same in all processes, which all come here.
 *
 * @throws {Error} In all of them alike, if they are not.
 */
export function agree(fleet: Fleet, facts: Facts): void {
  meet(fleet, { facts });
}

/**
 * Compares what all processes have.
 *
 * @throws {Error} If one has something else than the first.
 */
export function compare(fleet: Fleet, all: readonly Facts[]): void {
  for (const name of Object.keys(FACTS) as (keyof Facts)[]) {
    const ours = all[0]![name];
    if (ours === undefined) continue;
    const other = all.findIndex(({ [name]: theirs }) => theirs !== undefined && theirs !== ours);
    if (other >= 0) throw refusal(fleet, other, FACTS[name](all[other]![name]!, ours), name);
  }
}

function refusal(fleet: Fleet, rank: number, problem: string, name?: string): Error {
  return ofAll(fail("fleet-failed", ACTION, `${processName(fleet, rank)} ${problem}`, { name }));
}

/** Errors that all processes have at once. */
const shared = new WeakSet<Error>();

/** Marks an error as one that all processes have. */
export function ofAll(error: Error): Error {
  shared.add(error);
  return error;
}

/** Whether all processes have an error, so that none of them waits for this one. */
export function isOfAll(error: unknown): boolean {
  return shared.has(error as Error) || errorCode(error) === "training-diverged";
}

/** For a process that fails before its training begins: the others learn of it where they meet. */
export function meetWithError(fleet: Fleet, error: string): void {
  try {
    meet(fleet, { error });
  } catch {
    // It is what all of them say.
  }
}

/** A training that is about to begin. */
interface Planned {
  readonly model: NetworkModel;
  readonly trainer: { readonly options: object; readonly steps: number };
  readonly options: object;
  readonly dataset: TrainingData;
  readonly validation: TrainingData | undefined;
  readonly state: Position & { readonly history: readonly object[] };
}

/**
 * Makes sure that all processes are about to do the same, before the first step.
 *
 * @param check What may fail in this one.
 * @throws {Error} In all of them, if not, or if one has failed.
 */
export async function meetBefore(training: Planned, check: () => Promise<void>): Promise<void> {
  const { fleet } = internalsOf(training.model).session;
  if (fleet.size === 1) return await check();
  let said: Said, own: { readonly error: unknown } | undefined;
  try {
    await check();
    said = { facts: await factsOf(training) };
  } catch (error) {
    own = { error };
    said = { error: errorCause(error)?.problem ?? String((error as Error)?.message ?? error) };
  }
  try {
    meet(fleet, said);
  } catch (error) {
    throw own?.error ?? error;
  }
}

async function factsOf({ model, trainer, options, dataset, validation, state }: Planned): Promise<Facts> {
  const { session } = internalsOf(model), { epoch, batch, lossSum, history } = state;
  const values = await session.exclusive(() => session.readValues());
  return {
    trainings: "one",
    version: VERSION,
    arithmetic: session.device.arithmetic,
    model: JSON.stringify([model.network, model.seed]),
    options: JSON.stringify([trainer.options, options]),
    data: await hashDataset(dataset),
    validation: validation ? await hashDataset(validation) : "none",
    parameters: toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", values))),
    position: JSON.stringify([trainer.steps, epoch, batch, lossSum, history.length]),
  };
}

/** What a training ends with where another process was told to stop. */
export const STOPPED_ELSEWHERE: DOMException = new DOMException("another process was told to stop", "AbortError");

/**
 * Numbers of all processes, in order.
 *
 * @param bounds Where those of each begin.
 * @throws In all of them, if one was told to stop.
 */
export function gatherNumbers(
  fleet: Fleet,
  own: readonly number[],
  bounds: readonly number[],
  signal: AbortSignal | undefined,
): ArrayLike<number> {
  if (fleet.size === 1) return own;
  const counts = bounds.slice(1).map((end, r) => 1 + end - bounds[r]!), starts = startsOf(counts);
  const all = new Float64Array(starts.at(-1)! + counts.at(-1)!), firsts = new Set(starts);
  all.set([Number(signal?.aborted ?? false), ...own], starts[fleet.rank]);
  fleet.gather(new Uint8Array(all.buffer), counts.map((count) => 8 * count));
  if (starts.some((start) => all[start] === 1)) throw signal?.aborted ? signal.reason : STOPPED_ELSEWHERE;
  return all.filter((_, i) => !firsts.has(i));
}

/**
 * Stops if one of the processes was told to.
 *
 * @throws In all of them, if so.
 */
export function stopTogether(fleet: Fleet, signal: AbortSignal | undefined): void {
  gatherNumbers(fleet, [], Array(fleet.size + 1).fill(0), signal);
}
