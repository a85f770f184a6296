/**
 * The benchmark: training steps of five sizes, and prediction, against PyTorch and the trainers of JavaScript.
 *
 *     deno task bench                                  all sizes, all sides that can be had
 *     deno task bench --python PATH                    the Python that has PyTorch (default: python3)
 *     deno task bench --sizes S1,S2 --sides pytorch    only some
 *     deno task bench --json FILE --markdown           all figures into a file; the table of .github/docs/performance.md
 *     deno task bench --rounds 5 --seconds 1           rounds, and the length of a side's turn
 *     deno task bench --threads 4                      Grutto's threads (default: the best of 2 to the cores)
 *     deno task bench --wide                           Grutto under the engine's 256-bit flags, too
 *     deno task bench --plain                          PyTorch's model as it is usually written
 *     deno task bench --no-predict                     training only
 *
 * A step is forward, backward and Adam with the loss BCE over two outputs, without dropout. Sides are processes that
 * take turns within each round, in another order every round; the times are medians of the rounds' medians, the ratios
 * medians of the rounds' ratios, since a shared machine is faster in one minute than in the next.
 *
 * First of all, each side gets the same parameters and the same batch, and must come to the same loss and the same
 * gradients, and then to the same losses after its own steps: a side that does not is not timed.
 *
 * tfjs, jax-js and ONNX Runtime come from npm, downloaded when first used; what cannot be had is left out with a line
 * that says so. `--sides` takes grutto, pytorch, tfjs, jax-js, onnxruntime; Grutto always takes part.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { commandLine, fail, numberOption } from "../command_line.ts";
import { type Peak, peakMeter } from "./peak.ts";
import { type Predicted, Side, type Times, type Trained, unpack } from "./protocol.ts";
import { CORES, describe, markdown, median, type Setting, setting, short, table } from "./report.ts";
import { type Size, SIZES, stepFlops, type Work, workOf } from "./work.ts";

/** Largest difference of a gradient from Grutto's, as a share of the largest number in its tensor. */
const GRADIENT_TOLERANCE = 5e-4;
/** The same of the losses, as a share of the loss. */
const LOSS_TOLERANCE = 1e-4;
/** The same of predicted probabilities, absolute. */
const PROBABILITY_TOLERANCE = 1e-5;
/** Milliseconds that a side may take for an answer before it is given up. */
const PATIENCE = 300_000;
/** Milliseconds from which a step counts as slow: it needs no warming up before a turn. */
const SLOW = 3000;
/** Sequences of a batch to predict. */
const PREDICT_BATCH = 1024;

/** A way to do the work: how its process is started, and for which peer it counts. */
interface Contestant {
  readonly name: string;
  readonly peer: string;
  readonly threads: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
}

/** What came of a side at one size. */
interface SideResult {
  readonly peer: string;
  readonly threads: number;
  readonly about?: string;
  /** What the comparison with Grutto's gradients said. */
  check?: Check;
  /** Why it was not timed. */
  problem?: string;
  /** Medians of the rounds, in ms; null for rounds that it sat out. */
  rounds: (number | null)[];
  steps: number;
  /** Median of the rounds. */
  ms?: number;
  /** Times as long as Grutto's best: median of the rounds. */
  ratio?: number;
  /** Useful operations, as a share of the peak of its threads: median of the rounds. */
  peakShare?: number;
}

/** How far a side's results are from Grutto's. */
interface Check {
  /** Relative. */
  readonly loss: number;
  /** The largest of all tensors, relative to the largest number of the tensor; and which tensor. */
  readonly gradient: number;
  readonly tensor: string;
  /** Relative, the largest of a few steps. */
  stepLosses?: number;
}

interface SizeResult {
  readonly size: Size;
  readonly flops: number;
  /** GF/s of the rounds. */
  readonly peak: number[];
  readonly sides: Record<string, SideResult>;
  /** Name of the best side of each peer, by ms. */
  readonly best: Record<string, string>;
  /** How many times as fast Grutto's best is as each peer's best: medians of the rounds; the same for the wide path. */
  readonly faster: { readonly [ours in "grutto" | "grutto-wide"]?: Record<string, number> };
}

/** A prediction's times in µs; time steps per second of the batch. */
interface PredictResult {
  readonly about: string;
  readonly difference: number;
  readonly calls: Record<string, { us: number; rounds: number[]; timeStepsPerSecond?: number }>;
}

/** Everything, as --json writes it. */
export interface BenchResult extends Setting {
  readonly kind: "grutto-bench";
  readonly tolerances: { readonly gradient: number; readonly loss: number };
  readonly sizes: Record<string, SizeResult>;
  readonly predict: Record<string, PredictResult>;
  /** What did not take part, and why. */
  readonly skipped: Record<string, string>;
}

const script = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const WIDE = "--v8-flags=--no-wasm-bounds-checks,--experimental-wasm-revectorize";

function deno(
  path: string,
  args: readonly string[] = [],
  flags: readonly string[] = [],
): Pick<Contestant, "command" | "args"> {
  return {
    command: Deno.execPath(),
    args: ["run", "--quiet", "--allow-all", "--no-lock", ...flags, script(path), ...args],
  };
}

function grutto(threads: number, wide = false): Contestant {
  const peer = wide ? "grutto-wide" : "grutto";
  const name = `Grutto${wide ? " wide" : ""}, ${threads} thread${threads > 1 ? "s" : ""}`;
  return { name, peer, threads, ...deno("sides/grutto.ts", [], wide ? [WIDE] : []) };
}

function pytorch(python: string, plain: boolean): Contestant[] {
  const side = (name: string, threads: number, env: Record<string, string> = {}): Contestant => {
    const n = String(threads), all = { OMP_NUM_THREADS: n, MKL_NUM_THREADS: n, ...env };
    const args = [script("sides/pytorch.py"), ...plain ? ["--plain"] : []];
    return { name: `PyTorch, ${name}`, peer: "pytorch", threads, command: python, args, env: all };
  };
  if (CORES === 1) return [side("1 thread", 1)];
  const passive = { OMP_WAIT_POLICY: "passive", GOMP_SPINCOUNT: "0" };
  return [
    side("1 thread", 1),
    side(`${CORES} threads`, CORES),
    side(`${CORES} threads, passive`, CORES, passive),
  ];
}

function tfjs(): Contestant[] {
  const side = (name: string, args: string[]) => ({ name, peer: "tfjs", threads: 1, ...deno("sides/tfjs.ts", args) });
  return [side("tfjs wasm", []), side("tfjs wasm, own gradients", ["--own-gradients"])];
}

function jax(): Contestant[] {
  const side = (threads: number) => ({
    name: `jax-js wasm, ${threads} thread${threads > 1 ? "s" : ""}`,
    peer: "jax-js",
    threads,
    ...deno("sides/jax.ts"),
  });
  return CORES === 1 ? [side(1)] : [side(1), side(CORES)];
}

function onnxruntime(): Contestant[] {
  return ["onnxruntime-web", "onnxruntime-node"].map((name) => ({
    name,
    peer: name,
    threads: 1,
    ...deno("sides/onnxruntime.ts", [name]),
  }));
}

/** The largest difference of two arrays, as a share of the largest number in the first. */
function relativeDifference(expected: Float32Array, actual: Float32Array): number {
  if (actual.length !== expected.length) return Infinity;
  let most = 0, largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const d = Math.abs(actual[i]! - expected[i]!);
    // NaN must not pass.
    if (!(d <= most)) most = Number.isNaN(d) ? Infinity : d;
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return most === 0 ? 0 : most / largest;
}

function compare(expected: Trained, actual: Trained): Check {
  let gradient = 0, tensor = "";
  for (const [name, data] of Object.entries(expected.gradients)) {
    const other = actual.gradients[name];
    const difference = other === undefined ? Infinity : relativeDifference(unpack(data), unpack(other));
    if (difference > gradient) [gradient, tensor] = [difference, name];
  }
  return { loss: Math.abs(actual.loss / expected.loss - 1), gradient, tensor };
}

/** What is wrong with a side, if anything. */
function verdict({ loss, gradient, tensor, stepLosses = 0 }: Check, exact: boolean): string | undefined {
  if (exact && (loss || gradient || stepLosses)) return `WRONG: not the same bits (${tensor || "loss"})`;
  if (!(loss <= LOSS_TOLERANCE)) return `WRONG: loss differs by ${loss.toExponential(1)}`;
  if (!(gradient <= GRADIENT_TOLERANCE)) return `WRONG: gradient of ${tensor} differs by ${gradient.toExponential(1)}`;
  if (!(stepLosses <= LOSS_TOLERANCE)) return `WRONG: losses of its steps differ by ${stepLosses.toExponential(1)}`;
}

/** A side that is alive, and what it has done so far. */
interface Player {
  readonly contestant: Contestant;
  readonly side: Side;
  readonly result: SideResult;
  /** ms of its last step, and of all its turns. */
  last: number;
  spent: number;
}

/** Losses that a few steps start from. */
async function stepLosses(side: Side, count: number): Promise<number[]> {
  return (await side.ask<{ losses: number[] }>({ op: "steps", count }, PATIENCE)).losses;
}

/** One turn: a step to warm up, where that does not take too long, then `ms` milliseconds of steps. */
async function turn(player: Player, ms: number): Promise<Times> {
  const { side } = player, start = performance.now();
  if (player.last < SLOW) await side.ask({ op: "run", ms: 0, most: 1 }, PATIENCE);
  const times = await side.ask<Times>({ op: "run", ms }, PATIENCE);
  player.last = times.median;
  player.spent += performance.now() - start;
  return times;
}

/** How many threads suit Grutto best here: each number takes a few short turns. */
async function bestThreads(work: Work, candidates: readonly number[], ms: number): Promise<number> {
  const players = new Map<number, { side: Side; times: number[] }>();
  try {
    for (const threads of candidates) {
      const { command, args } = grutto(threads), side = new Side(command, args);
      players.set(threads, { side, times: [] });
      await side.give("train", work, threads, PATIENCE);
      await stepLosses(side, 2);
    }
    for (let round = 0; round < 3; round++) {
      for (const { side, times } of players.values()) {
        await side.ask({ op: "run", ms: 0, most: 1 }, PATIENCE);
        times.push((await side.ask<Times>({ op: "run", ms }, PATIENCE)).median);
      }
    }
    return [...players].sort(([, a], [, b]) => median(a.times) - median(b.times))[0]![0];
  } finally {
    for (const { side } of players.values()) side[Symbol.dispose]();
  }
}

/** Starts the sides of a size and holds each to the first, which is Grutto on one thread. */
async function assemble(work: Work, contestants: readonly Contestant[], setting: Setting): Promise<Player[]> {
  const players: Player[] = [];
  let expected: Trained | undefined, losses: number[] = [];
  for (const contestant of contestants) {
    const { name, peer, threads, command, args, env } = contestant;
    const start = performance.now();
    let side: Side | undefined, result: SideResult = { peer, threads, rounds: [], steps: 0 }, last = 0;
    try {
      side = new Side(command, args, env);
      const reply = await side.give<Trained>("train", work, threads, PATIENCE);
      Object.assign(setting.versions, reply.versions);
      result = { ...result, about: reply.about };
      const slow = performance.now() - start > 20_000, count = slow ? 2 : 3, before = performance.now();
      const own = await stepLosses(side, count);
      last = (performance.now() - before) / count;
      if (!expected) {
        expected = reply;
        losses = own;
      }
      const check = compare(expected, reply);
      check.stepLosses = Math.max(...own.map((loss, i) => Math.abs(loss / losses[i]! - 1)));
      result.check = check;
      result.problem = verdict(check, peer === "grutto");
    } catch (error) {
      result.problem = `failed: ${(error as Error).message}`;
    }
    const { check, problem } = result, seconds = ((performance.now() - start) / 1000).toFixed(1);
    const said = !check
      ? ""
      : players.length === 0
      ? "sets the loss and the gradients"
      : check.gradient === 0 && check.loss === 0
      ? "the same bits"
      : `gradients within ${check.gradient.toExponential(1)} (${check.tensor}), losses within ${
        Math.max(check.loss, check.stepLosses ?? 0).toExponential(1)
      }`;
    console.log(`  ${name.padEnd(32)} ${problem ?? `ok: ${said}`} (${result.about ?? "?"}; ready in ${seconds} s)`);
    if (players.length === 0 && problem) fail(`Grutto itself: ${problem}`);
    if (problem) side?.[Symbol.dispose]();
    players.push({ contestant, side: side!, result, last, spent: 0 });
  }
  return players;
}

/** All rounds of a size. */
async function benchSize(
  name: string,
  size: Size,
  contestants: readonly Contestant[],
  setting: Setting,
  peakOf: (ms: number) => Promise<Peak>,
): Promise<SizeResult> {
  const flops = stepFlops(size), work = await workOf(size), { B, T, I, H, layers } = size;
  console.log(
    `\n${name}: ${B} sequences of ${T} steps of ${I} numbers, ${layers} layer${layers > 1 ? "s" : ""} of ${H}; ` +
      `${short(flops / 1e6)} MFLOP a step`,
  );
  const players = await assemble(work, contestants, setting);
  const playing = players.filter(({ result }) => !result.problem);
  const peak: number[] = [], ms = 1000 * seconds;
  // What is compiled and cached as it goes must not fall into the first round. Long steps have been warm for a while.
  for (const player of playing) if (player.last < SLOW) await turn(player, Math.min(ms, 500));
  for (const player of playing) player.spent = 0;
  for (let round = 0; round < rounds; round++) {
    peak.push((await peakOf(Math.min(200, ms))).median);
    const order = playing.map((_, i) => playing[(i + round) % playing.length]!);
    if (round % 2 === 1) order.reverse();
    for (const player of order) {
      const { result } = player;
      // Steps of seconds: a few are enough.
      if (player.spent > 2 * rounds * ms && result.steps > 0) {
        result.rounds[round] = null;
        continue;
      }
      try {
        const times = await turn(player, ms);
        result.rounds[round] = times.median;
        result.steps += times.steps;
      } catch (error) {
        result.problem = `failed: ${(error as Error).message}`;
        player.spent = Infinity;
        result.rounds[round] = null;
        result.steps ||= 1;
      }
    }
    const cells = playing.map(({ contestant, result }) => {
      const value = result.rounds[round];
      return `${contestant.name}: ${value === null ? "–" : short(value!)}`;
    });
    console.log(`  round ${round + 1}/${rounds}: peak ${short(peak.at(-1)!)} GF/s; ${cells.join("; ")}`);
  }
  for (const { side } of playing) side[Symbol.dispose]();

  const best: Record<string, string> = {};
  for (const { contestant: { name, peer }, result } of playing) {
    const timed = result.rounds.filter((value) => value !== null);
    if (result.problem || timed.length === 0) continue;
    result.ms = median(timed);
    const rival = players.find(({ contestant }) => contestant.name === best[peer]);
    // More threads of ours must gain something: where there is too little to share they do the same as one.
    const gain = peer === "grutto" ? 0.98 : 1;
    if (!rival || result.ms < gain * rival.result.ms!) best[peer] = name;
  }
  const ours = players.find(({ contestant }) => contestant.name === best.grutto)!.result;
  for (const { result } of playing) {
    if (result.ms === undefined) continue;
    const shares = result.rounds.flatMap((value, round) =>
      value === null ? [] : [flops / value / 1e6 / (peak[round]! * result.threads)]
    );
    result.ratio = timesOf(result, ours);
    result.peakShare = median(shares);
  }
  const sides = Object.fromEntries(players.map(({ contestant, result }) => [contestant.name, result]));
  const faster: Partial<Record<"grutto" | "grutto-wide", Record<string, number>>> = {};
  for (const mine of ["grutto", "grutto-wide"] as const) {
    if (!best[mine]) continue;
    const theirs = Object.keys(best).filter((peer) => !peer.startsWith("grutto"));
    faster[mine] = Object.fromEntries(theirs.map((peer) => [peer, timesOf(sides[best[peer]!]!, sides[best[mine]!]!)]));
  }
  return { size, flops, peak, sides, best, faster };
}

/** How many times the one takes of the other's time: median of the rounds in which both took part. */
function timesOf(one: SideResult, other: SideResult): number {
  return median(one.rounds.flatMap((value, round) => {
    const divisor = other.rounds[round];
    return value === null || divisor === null || divisor === undefined ? [] : [value / divisor];
  }));
}

function sizeTable({ flops, sides, best }: SizeResult): string {
  const rows = [["", "ms/step", "least", "most", "GF/s", "% of peak", "× Grutto's best", "steps"]];
  for (const [name, { ms, rounds, ratio, peakShare, steps, problem, peer }] of Object.entries(sides)) {
    if (ms === undefined) {
      rows.push([`${name}  ${problem}`, "", "", "", "", "", "", ""]);
      continue;
    }
    const timed = rounds.filter((value) => value !== null);
    rows.push([
      name + (best[peer] === name ? " *" : ""),
      short(ms),
      short(Math.min(...timed)),
      short(Math.max(...timed)),
      short(flops / ms / 1e6),
      (100 * peakShare!).toFixed(1),
      short(ratio!),
      String(steps),
    ]);
  }
  // A problem's text must not widen the columns.
  const [plain, problems] = [rows.filter((row) => row[1] !== ""), rows.filter((row) => row[1] === "")];
  return [table(plain), ...problems.map(([text]) => text)].map((text) => text!.replace(/^/gm, "  ")).join("\n");
}

/** The table of the README: a column for each size. */
function readmeTable({ sizes }: BenchResult): string {
  const all = Object.entries(sizes);
  const head = [
    "ms per training step",
    ...all.map(([name, { size: { B, T, I, H, layers } }]) =>
      `${name}<br>B ${B}, T ${T}, I ${I}, H ${H}${layers > 1 ? `, ${layers} layers` : ""}`
    ),
  ];
  const row = (title: string, cell: (result: SizeResult) => string) => [title, ...all.map(([, r]) => cell(r))];
  const bestOf = (peer: string) => (r: SizeResult) => r.sides[r.best[peer]!];
  const ms = (peer: string) => (r: SizeResult) => {
    const side = bestOf(peer)(r);
    return side ? short(side.ms!) : "–";
  };
  const ratio = (mine: "grutto" | "grutto-wide", peer: string) => (r: SizeResult) => {
    const times = r.faster[mine]?.[peer];
    return times === undefined ? "–" : `${short(times)}×`;
  };
  const one = (r: SizeResult) =>
    Object.values(r.sides).find(({ peer, threads }) => peer === "grutto" && threads === 1)!;
  const rows = [
    row("Grutto, 1 thread", (r) => `${short(one(r).ms!)} (${(100 * one(r).peakShare!).toFixed(0)} % of peak)`),
    row("Grutto, best threads", (r) => `**${ms("grutto")(r)}** (${bestOf("grutto")(r)!.threads})`),
  ];
  const present = (peer: string) => all.some(([, r]) => r.best[peer]);
  if (present("grutto-wide")) rows.push(row("Grutto wide, best threads", ms("grutto-wide")));
  const TITLES = { pytorch: "PyTorch at its best", tfjs: "tfjs wasm", "jax-js": "jax-js wasm" };
  for (const [peer, title] of Object.entries(TITLES)) if (present(peer)) rows.push(row(title, ms(peer)));
  for (const [mine, name] of [["grutto", "Grutto"], ["grutto-wide", "Grutto wide"]] as const) {
    if (!present(mine)) continue;
    for (const [peer, title] of Object.entries(TITLES)) {
      if (present(peer)) rows.push(row(`${name} is faster than ${title}`, ratio(mine, peer)));
    }
  }
  return markdown([head, ...rows]);
}

/** Prediction with the model of the smallest size, on one thread. */
async function benchPrediction(
  contestants: readonly Contestant[],
  setting: Setting,
): Promise<Record<string, PredictResult>> {
  const size = { ...SIZES.S1!, B: PREDICT_BATCH }, work = await workOf(size);
  console.log(`\nPrediction, the model of S1, one thread: a single sequence, and batches of ${PREDICT_BATCH}`);
  const results: Record<string, PredictResult> = {}, playing = new Map<string, Side>();
  let expected: Float32Array | undefined;
  for (const { name, command, args, env } of contestants) {
    let side: Side | undefined;
    try {
      side = new Side(command, args, env);
      const { about, versions, calls, probabilities } = await side.give<Predicted>("predict", work, 1, PATIENCE);
      Object.assign(setting.versions, versions);
      const values = unpack(probabilities);
      expected ??= values;
      const difference = Math.max(...values.map((value, i) => Math.abs(value - expected![i]!)));
      if (values.length !== expected.length || !(difference <= PROBABILITY_TOLERANCE)) {
        throw new Error(`WRONG: probabilities differ by ${difference.toExponential(1)}`);
      }
      console.log(`  ${name.padEnd(32)} ok: probabilities within ${difference.toExponential(1)} (${about})`);
      for (const call of calls) await side.ask({ op: "call", name: call, ms: 300 }, PATIENCE);
      results[name] = { about, difference, calls: Object.fromEntries(calls.map((c) => [c, { us: 0, rounds: [] }])) };
      playing.set(name, side);
    } catch (error) {
      console.log(`  ${name.padEnd(32)} ${(error as Error).message}`);
      side?.[Symbol.dispose]();
    }
  }
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 ? [...playing].reverse() : [...playing];
    for (const [name, side] of order) {
      for (const [call, { rounds: times }] of Object.entries(results[name]!.calls)) {
        times.push(1000 * (await side.ask<Times>({ op: "call", name: call, ms: 500 * seconds }, PATIENCE)).median);
      }
    }
  }
  const rows = [["", "µs a call", "million time steps/s"]];
  for (const [name, { calls }] of Object.entries(results)) {
    for (const [call, result] of Object.entries(calls)) {
      result.us = median(result.rounds);
      const sequences = call.startsWith("batch") ? size.B : 1;
      result.timeStepsPerSecond = Math.round(1e6 * sequences * size.T / result.us);
      rows.push([`${name}, ${call}`, short(result.us), short(result.timeStepsPerSecond / 1e6)]);
    }
  }
  for (const side of playing.values()) side[Symbol.dispose]();
  console.log(`\n${table(rows).replace(/^/gm, "  ")}`);
  return results;
}

const { values } = commandLine("deno task bench", "Times training steps and prediction against other trainers.", {
  sizes: { type: "string", default: Object.keys(SIZES).join(","), about: "which sizes", takes: "S1,…" },
  sides: {
    type: "string",
    default: "grutto,pytorch,tfjs,jax-js,onnxruntime",
    about: "who takes part",
    takes: "NAME,…",
  },
  rounds: { type: "string", default: "5", about: "rounds" },
  seconds: { type: "string", default: "1", about: "length of a side's turn" },
  threads: { type: "string", about: "Grutto's threads (default: the best of 2 to the cores)", takes: "N" },
  python: { type: "string", default: "python3", about: "the Python that has PyTorch", takes: "PATH" },
  json: { type: "string", about: "all figures into a file", takes: "FILE" },
  markdown: { type: "boolean", default: false, about: "the table of .github/docs/performance.md" },
  wide: { type: "boolean", default: false, about: "Grutto under the engine's 256-bit flags, too" },
  plain: { type: "boolean", default: false, about: "PyTorch's model as it is usually written" },
  "no-predict": { type: "boolean", default: false, about: "training only" },
});
const rounds = numberOption("rounds", values.rounds, 1), seconds = numberOption("seconds", values.seconds, 0.01, false);
const sizeNames = values.sizes.split(",").filter(Boolean), wanted = values.sides.split(",");
for (const name of sizeNames) {
  if (!Object.hasOwn(SIZES, name)) fail(`--sizes knows ${Object.keys(SIZES).join(", ")}, got "${name}"`, 2);
}
const fixed = values.threads === undefined ? undefined : numberOption("threads", values.threads, 1);

// Paths are nobody's business.
const { python, json, ...told } = values;
const result: BenchResult = {
  kind: "grutto-bench",
  ...setting({ ...told, rounds, seconds }),
  tolerances: { gradient: GRADIENT_TOLERANCE, loss: LOSS_TOLERANCE },
  sizes: {},
  predict: {},
  skipped: {},
};
console.log(describe(result));

// Who is there: each peer does a step of next to nothing, so that one that is missing is named once, here.
const tiny = await workOf({ B: 2, T: 2, I: 2, H: 4, layers: 1, O: 2 });
const peers: Contestant[][] = [];
for (
  const [peer, all] of Object.entries({ pytorch: pytorch(python, values.plain), tfjs: tfjs(), "jax-js": jax() })
) {
  if (!wanted.includes(peer)) continue;
  const { command, args, env } = all[0]!;
  try {
    using side = new Side(command, args, env);
    const { versions } = await side.give<Trained>("train", tiny, 1, PATIENCE);
    Object.assign(result.versions, versions);
    console.log(`${peer}: ${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")}`);
    peers.push(all);
  } catch (error) {
    const hint = peer === "pytorch" ? `; name a Python that has PyTorch with --python PATH` : "";
    result.skipped[peer] = (error as Error).message;
    console.log(`${peer}: skipped: ${(error as Error).message}${hint}`);
  }
}
result.skipped["brain.js"] =
  "cannot do equal work: its GRU has another formula (reset before the product, one bias), " +
  "takes one sequence at a time, and has neither attention nor Adam";
console.log(`brain.js: skipped: ${result.skipped["brain.js"]}`);

const peakOf = await peakMeter();
for (const name of sizeNames) {
  const size = SIZES[name]!, ours = [grutto(1)];
  if (values.wide) ours.push(grutto(1, true));
  const candidates = Array.from({ length: CORES - 1 }, (_, i) => i + 2);
  if (fixed === undefined ? candidates.length > 0 : fixed > 1) {
    const threads = fixed ?? await bestThreads(await workOf(size), candidates, 200 * seconds);
    ours.push(grutto(threads));
    if (values.wide) ours.push(grutto(threads, true));
  }
  const sized = await benchSize(name, size, [...ours, ...peers.flat()], result, peakOf);
  result.sizes[name] = sized;
  console.log(`\n${sizeTable(sized)}`);
  for (const [mine, times] of Object.entries(sized.faster)) {
    const text = Object.entries(times).map(([peer, n]) => `${short(n)} × ${peer}`).join(", ");
    if (text) console.log(`  best of ${mine} against the best of each: ${text}`);
  }
}
if (!values["no-predict"]) {
  const others = [...peers.flat().slice(0, 1).filter(({ peer }) => peer === "pytorch")];
  if (wanted.includes("onnxruntime")) others.push(...onnxruntime());
  Object.assign(result.predict, await benchPrediction([grutto(1), ...others], result));
}
if (values.markdown && sizeNames.length) console.log(`\n${readmeTable(result)}`);
if (json) {
  await Deno.writeTextFile(json, JSON.stringify(result, null, 1) + "\n");
  console.log(`\nwritten: ${json}`);
}
Deno.exit(0);
