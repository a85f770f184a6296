/**
 * Training steps on the GPU: milliseconds per step on `wasm`, on `webgpu`, and of PyTorch on CUDA where there is both.
 *
 *     deno task bench:gpu [--size S1,S2,…] [--ms N] [--rounds N] [--python PATH] [--json FILE]
 *
 * The same work as in scripts/bench/main.ts: forward, backward, Adam, in float32; the losses are read back once per
 * interval, as `train()` does. First, all sides make the same three steps, and must come to the same losses. Then they take
 * turns, round by round; medians are reported. What was not run is said, and why.
 *
 * A machine without a network takes the repository, a Deno binary, and a cache that was filled elsewhere:
 *
 *     DENO_DIR=cache deno cache scripts/bench/gpu.ts                                               # where there is one
 *     DENO_DIR=cache deno run --cached-only -A scripts/bench/gpu.ts --python /opt/torch/bin/python  # where there is none
 *
 * @module
 */

import { internalsOf } from "../../core/model/model.ts";
import { ResultQueue } from "../../core/device/results.ts";
import { createModel, createTrainer } from "../../mod.ts";
import { commandLine, fail, numberOption } from "../command_line.ts";
import { pack } from "./protocol.ts";
import { describe, markdown, median, setting, short } from "./report.ts";
import { configOf, type Size, SIZES, stepFlops, type Work, workOf } from "./work.ts";

/** A side that is ready to run. */
interface Side {
  /** What it runs on. */
  readonly about: string;
  /** Its losses in the first steps. */
  readonly losses: readonly number[];
  /** One round: milliseconds per step. */
  run(): Promise<number>;
  end(): void | Promise<void>;
}

/** Steps whose losses are compared, and how closely: relative to the CPU's. */
const CHECKED = { steps: 3, within: 1e-4 };

/** Grutto on a device, with as many steps to a round as take `ms` milliseconds. */
async function openGrutto(
  { size, parameters, x, targets }: Work,
  device: "wasm" | "webgpu",
  ms: number,
): Promise<Side> {
  const { B, T, I } = size, model = await createModel(configOf(size), { device });
  await model.loadStateDict(parameters);
  const trainer = createTrainer(model), sequences = { x, shape: [B, T, I] }, losses: number[] = [];
  for (let i = 0; i < CHECKED.steps; i++) losses.push((await trainer.step(sequences, targets)).loss);
  const steps = async (count: number) => {
    const queue = new ResultQueue(trainer, internalsOf(model).session.device.stepsAhead, () => {}),
      start = performance.now();
    for (let i = 0; i < count; i++) await queue.add(await trainer.begin(sequences, targets));
    await queue.drain();
    return performance.now() - start;
  };
  let count = 1, spent = await steps(count);
  while (spent < ms) {
    count = Math.ceil(count * Math.min(8, 1.1 * ms / spent));
    spent = await steps(count);
  }
  const run = async () => {
    // Whatever fell asleep while the others ran.
    await steps(Math.min(count, 5));
    return await steps(count) / count;
  };
  return { about: model.device.description, losses, run, end: () => model.dispose() };
}

/** PyTorch, if there is a Python with it and a CUDA device: a process that answers line by line. */
async function openPyTorch({ size, parameters, x, targets }: Work, python: string, ms: number): Promise<Side> {
  const arrays = Object.entries(parameters).map(([name, { shape, data }]) => [name, { shape, data: pack(data) }]);
  const request = { size, ms, steps: CHECKED.steps, x: pack(x), targets: pack(targets) };
  const script = new URL("gpu_pytorch.py", import.meta.url).pathname;
  const child = new Deno.Command(python, { args: [script], stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const errors = new Response(child.stderr).text(), writer = child.stdin.getWriter();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const ask = async (line: string) => {
    // A process that has ended says why on its standard error.
    await writer.write(new TextEncoder().encode(`${line}\n`)).catch(() => {});
    while (!text.includes("\n")) {
      const { value, done } = await lines.read();
      if (done) throw new Error((await errors).trim().split("\n").at(-1) || `${python} failed`);
      text += value;
    }
    const end = text.indexOf("\n"), answer = text.slice(0, end);
    text = text.slice(end + 1);
    return JSON.parse(answer);
  };
  const end = async () => {
    await writer.close().catch(() => {});
    await child.status;
  };
  try {
    const { about, losses } = await ask(JSON.stringify({ ...request, parameters: Object.fromEntries(arrays) }));
    return { about, losses, run: () => ask("run"), end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** That a side computes what the CPU does. */
function check({ losses }: Side, expected: readonly number[]): void {
  const wrong = losses.findIndex((loss, i) => !(Math.abs(loss / expected[i]! - 1) <= CHECKED.within));
  if (wrong >= 0) throw new Error(`the loss of step ${wrong + 1} is ${losses[wrong]}, on wasm ${expected[wrong]}`);
}

/** Milliseconds per step of each round, or why there are none. */
interface Outcome {
  readonly about?: string;
  readonly rounds: number[];
  readonly why?: string;
}

/** All sides at one size, by turns. */
async function measure(work: Work, python: string, ms: number, rounds: number): Promise<Map<string, Outcome>> {
  const open: Record<string, () => Promise<Side>> = {
    "wasm": () => openGrutto(work, "wasm", ms),
    "webgpu": () => openGrutto(work, "webgpu", ms),
    "PyTorch CUDA": () => openPyTorch(work, python, ms),
  };
  const outcomes = new Map<string, Outcome>(), sides = new Map<string, Side>();
  for (const [name, start] of Object.entries(open)) {
    try {
      const side = await start();
      sides.set(name, side);
      check(side, sides.get("wasm")?.losses ?? side.losses);
      outcomes.set(name, { about: side.about, rounds: [] });
    } catch (error) {
      outcomes.set(name, { rounds: [], why: (error as Error).message });
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const [name, side] of sides) {
      const outcome = outcomes.get(name)!;
      if (outcome.why === undefined) outcome.rounds.push(await side.run());
    }
  }
  for (const side of sides.values()) await side.end();
  return outcomes;
}

if (import.meta.main) {
  const { values } = commandLine("deno task bench:gpu", "Training steps on wasm, webgpu and PyTorch's CUDA.", {
    size: { type: "string", default: Object.keys(SIZES).join(","), about: "which sizes", takes: "S1,…" },
    ms: { type: "string", default: "400", about: "milliseconds of a turn" },
    rounds: { type: "string", default: "5", about: "rounds" },
    python: { type: "string", default: "python3", about: "the Python that has PyTorch", takes: "PATH" },
    json: { type: "string", about: "all figures into a file", takes: "FILE" },
  });
  const ms = numberOption("ms", values.ms!, 1), rounds = numberOption("rounds", values.rounds!, 1);
  const run = setting({ ...values }), results: Record<string, unknown> = {}, rows: string[][] = [];
  const remarks = new Set<string>();
  console.log(describe(run));
  for (const name of values.size!.split(",")) {
    const size: Size | undefined = SIZES[name];
    if (!size) fail(`--size must be some of ${Object.keys(SIZES).join(", ")}, got "${name}"`, 2);
    const { B, T, I, H, layers } = size, outcomes = await measure(await workOf(size), values.python!, ms, rounds);
    for (const [side, { about, why }] of outcomes) {
      remarks.add(why === undefined ? `${side}: ${about}` : `${side} was not run at ${name}: ${why}`);
    }
    const medians = [...outcomes.values()].map((outcome) => outcome.rounds.length ? median(outcome.rounds) : undefined);
    const own = medians[1], rate = own === undefined ? "" : (stepFlops(size) / own / 1e6).toFixed(1);
    rows.push([
      name,
      [B, T, I, H, layers].join(", "),
      ...medians.map((ms) => ms === undefined ? "not run" : short(ms)),
      rate,
    ]);
    results[name] = { size, outcomes: Object.fromEntries(outcomes) };
  }
  const head = ["size", "B, T, I, H, layers", "wasm", "webgpu", "PyTorch CUDA", "webgpu, GFLOP/s"];
  console.log(`\nMilliseconds per training step, median of ${rounds} rounds\n\n${markdown([head, ...rows])}\n`);
  for (const remark of remarks) console.log(remark);
  if (values.json) Deno.writeTextFileSync(values.json, `${JSON.stringify({ ...run, sizes: results }, null, 2)}\n`);
}
