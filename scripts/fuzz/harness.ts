/**
 * Feeds mutated files to a reader and keeps those that it does not take well: another error than ours, a wrong
 * acceptance, more than a second, too much memory.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import { Random } from "../../core/random.ts";
import { commandLine, numberOption } from "../command_line.ts";

/** A reader, and the files that it is fed. */
export interface Target {
  /** Its name: part of a find's file name. */
  readonly name: string;
  /** A file that may be broken, from random numbers alone. */
  readonly make: (random: Random) => Uint8Array;
  /** Reads a file. Throws whatever the reader throws, and a {@linkcode WrongAcceptance} if its result cannot be right. */
  readonly read: (bytes: Uint8Array) => void | Promise<void>;
}

/** A file was taken that should not have been. */
export class WrongAcceptance extends Error {}

/** Whether this runs in the fuzzer's worker. */
export const IN_WORKER: boolean = "DedicatedWorkerGlobalScope" in globalThis;

/** Milliseconds that this process has computed: what others take of the machine does not count. */
export function computed(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
}

/** One of a list. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.below(list.length)]!;
}

/** Whole numbers at which programs go wrong. */
export const EDGES: readonly number[] = [
  ...[0, 1, 2, 3, 4, 7, 8, 16, 127, 128, 255, 256, 32767, 65535, 65536, 1e6, 2 ** 24 + 1],
  ...[2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 53 - 1, 2 ** 53, -1, -2],
];

/** The bytes with something changed, whatever they mean. */
export function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length + 1), length = Math.min(bytes.length - at, 1 + random.below(64));
  const edited = bytes.slice(), view = new DataView(edited.buffer);
  const insert = (part: Uint8Array, end = at) =>
    new Uint8Array([...bytes.subarray(0, at), ...part, ...bytes.subarray(end)]);
  switch (random.below(8)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return insert(new Uint8Array(0), at + length);
    case 2:
      return insert(bytes.slice(at, at + length));
    case 3:
      return insert(Uint8Array.from({ length }, () => random.below(256)));
    case 4:
      if (at + 4 <= bytes.length) view.setUint32(at, pick(random, EDGES), true);
      return edited;
    case 5:
      if (at + 2 <= bytes.length) view.setUint16(at, pick(random, EDGES), true);
      return edited;
    case 6:
      return edited.copyWithin(at, random.below(bytes.length + 1), random.below(bytes.length + 1));
    default:
      for (let i = 0; i <= random.below(4); i++) {
        if (bytes.length) edited[random.below(bytes.length)]! ^= 1 << random.below(8);
      }
      return edited;
  }
}

/**
 * What is wrong with how a target takes a file, or undefined; and whether the file was accepted.
 *
 * @param limit Milliseconds a file may take.
 */
export async function tried(
  { read }: Target,
  bytes: Uint8Array,
  limit = 1000,
): Promise<{ problem?: string; accepted: boolean; milliseconds: number }> {
  const start = computed();
  let problem: string | undefined, accepted = false;
  try {
    await read(bytes);
    accepted = true;
  } catch (error) {
    if (!isOurs(error)) problem = String(error);
  }
  const milliseconds = computed() - start;
  if (milliseconds > limit) problem ??= `took ${Math.round(milliseconds)} ms`;
  if (Object.keys(Object.prototype).length) problem ??= "Object.prototype has changed";
  return { problem, accepted, milliseconds };
}

/** Whether an error is one of those that a reader may throw, in its own words: V8's stack overflow is a RangeError too. */
function isOurs(error: unknown): boolean {
  return (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError) &&
    /^Cannot [a-z]/.test(error.message);
}

/** The file number i of a seed. */
function fileOf({ make }: Target, seed: number, i: number): Uint8Array {
  return make(new Random(seed, "data", i));
}

/**
 * Runs a fuzzer from the command line: --runs files of each target (default 10,000), from --seed (default 0); files that
 * are not taken well go to --finds, a folder. A worker reads; if it is silent for 20 seconds, it hangs.
 *
 * @param command How the fuzzer is started.
 * @param url The fuzzer's own, which the worker runs.
 */
export async function main(command: string, targets: readonly Target[], url: string): Promise<void> {
  if (IN_WORKER) return work(targets);
  const names = targets.map(({ name }) => name).join(", ");
  const { values } = commandLine(command, `Reads mutated files: ${names}.`, {
    runs: { type: "string", default: "10000", about: "files of each kind" },
    seed: { type: "string", default: "0", about: "of the mutations" },
    only: { type: "string", about: "one kind", takes: "NAME" },
    finds: { type: "string", default: "tests/testdata/finds", about: "where finds are kept", takes: "DIR" },
  });
  const count = numberOption("runs", values.runs, 1), seed = numberOption("seed", values.seed, 0);
  let found = 0, most = 0;
  for (const target of targets.filter(({ name }) => values.only === undefined || name === values.only)) {
    const start = performance.now();
    const { promise, resolve } = Promise.withResolvers<Report>();
    const worker = new Worker(url, { type: "module" });
    let last = 0, silent: ReturnType<typeof setTimeout> | undefined;
    const keep = (i: number, problem: string) => {
      found++;
      console.log(`${target.name}, seed ${seed}, file ${i}: ${problem}`);
      Deno.mkdirSync(values.finds, { recursive: true });
      Deno.writeFileSync(`${values.finds}/${target.name}-${seed}-${i}`, fileOf(target, seed, i));
    };
    worker.onmessage = ({ data }: MessageEvent<Report>) => {
      clearTimeout(silent);
      last = data.next;
      most = Math.max(most, data.rss);
      if (data.problem) keep(data.next - 1, data.problem);
      if (last >= count) return resolve(data);
      silent = setTimeout(() => {
        console.log(`${target.name}, seed ${seed}: one of the files ${last} to ${last + REPORT_EVERY} hangs`);
        Deno.exit(1);
      }, 20_000);
    };
    worker.postMessage({ name: target.name, seed, count });
    const { accepted, slowest } = await promise;
    worker.terminate();
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(
      `${target.name}: ${count} files, ${accepted} accepted, slowest ${slowest.toFixed(0)} ms, in ${seconds} s`,
    );
  }
  console.log(`${found} finds; memory of the process at most ${Math.ceil(most / 2 ** 20)} MiB`);
  Deno.exit(found ? 1 : 0);
}

/** What the worker says of the files before `next`. */
interface Report {
  readonly next: number;
  readonly accepted: number;
  readonly slowest: number;
  readonly rss: number;
  /** What is wrong with the last of them. */
  readonly problem?: string;
}

const REPORT_EVERY = 100;

/** The worker's side: reads the files that it is told to make. */
function work(targets: readonly Target[]): void {
  const scope = self as unknown as { onmessage: unknown; postMessage: (report: Report) => void };
  scope.onmessage = async ({ data }: MessageEvent<{ name: string; seed: number; count: number }>) => {
    const target = targets.find(({ name }) => name === data.name)!;
    let accepted = 0, slowest = 0;
    for (let i = 0; i < data.count; i++) {
      const result = await tried(target, fileOf(target, data.seed, i)), { problem } = result;
      accepted += Number(result.accepted);
      slowest = Math.max(slowest, result.milliseconds);
      if (problem || (i + 1) % REPORT_EVERY === 0 || i + 1 === data.count) {
        scope.postMessage({ next: i + 1, accepted, slowest, rss: Deno.memoryUsage().rss, problem });
      }
    }
  };
}
