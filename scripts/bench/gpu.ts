/**
 * Training steps on the GPU: milliseconds per step on `wasm`, on `webgpu`, and of PyTorch on CUDA where there is both.
 *
 *     deno task bench:gpu [--size S1,S2,…] [--ms N] [--python PATH] [--json FILE]
 *
 * The same work as in scripts/bench/main.ts: forward, backward, Adam, in float32; the loss is read back at the end only, as
 * `train()` does. What was not run is said, and why.
 *
 * @module
 */

import { parseArgs } from "../../deps.ts";
import { coreOf } from "../../core/model/model.ts";
import { Ahead } from "../../core/train/ahead.ts";
import { createModel, createTrainer } from "../../mod.ts";
import { pack } from "./protocol.ts";
import { describe, fail, markdown, median, numberOption, setting, short } from "./report.ts";
import { configOf, type Size, SIZES, stepFlops, type Work, workOf } from "./work.ts";

const SIDES = ["wasm", "webgpu", "PyTorch CUDA"] as const;

type Side = typeof SIDES[number];

/** Milliseconds per step, or why there are none. */
interface Outcome {
  readonly ms?: number;
  readonly why?: string;
  readonly about?: string;
}

/** Rounds that the median is taken of. */
const ROUNDS = 5;

/** Steps under way at once, until `ms` milliseconds are over: milliseconds per step. */
async function stepTime(
  { size, parameters, x, targets }: Work,
  device: "wasm" | "webgpu",
  ms: number,
): Promise<Outcome> {
  const { B, T, I } = size;
  try {
    using model = await createModel(configOf(size), { device });
    await model.loadStateDict(parameters);
    const trainer = createTrainer(model), sequences = { x, shape: [B, T, I] };
    const steps = async (count: number) => {
      const start = performance.now();
      const ahead = new Ahead(trainer, coreOf(model).stepsAhead, () => {});
      for (let i = 0; i < count; i++) await ahead.add(await trainer.begin(sequences, targets));
      await ahead.drain();
      return performance.now() - start;
    };
    await steps(2);
    let count = 1, spent = await steps(count);
    while (spent < ms / ROUNDS) {
      count = Math.ceil(count * Math.min(8, 1.1 * ms / ROUNDS / spent));
      spent = await steps(count);
    }
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) times.push(await steps(count) / count);
    return { ms: median(times), about: model.device.description };
  } catch (error) {
    return { why: (error as Error).message };
  }
}

/** PyTorch's answer, if there is a Python with it and a CUDA device. */
async function pytorchTime(work: Work, python: string, ms: number): Promise<Outcome> {
  const { size, parameters, x, targets } = work;
  const request = {
    size,
    ms,
    rounds: ROUNDS,
    x: pack(x),
    targets: pack(targets),
    parameters: Object.fromEntries(
      Object.entries(parameters).map(([name, { shape, data }]) => [name, { shape, data: pack(data) }]),
    ),
  };
  try {
    const script = new URL("gpu_pytorch.py", import.meta.url).pathname;
    const child = new Deno.Command(python, { args: [script], stdin: "piped", stdout: "piped", stderr: "piped" })
      .spawn();
    const writer = child.stdin.getWriter();
    const sent = writer.write(new TextEncoder().encode(JSON.stringify(request))).then(() => writer.close());
    const [{ success, stdout, stderr }] = await Promise.all([child.output(), sent.catch(() => {})]);
    if (success) return JSON.parse(new TextDecoder().decode(stdout));
    return { why: new TextDecoder().decode(stderr).trim().split("\n").at(-1) || `${python} failed` };
  } catch (error) {
    return { why: (error as Error).message };
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      size: { type: "string", default: Object.keys(SIZES).join(",") },
      ms: { type: "string", default: "2000" },
      python: { type: "string", default: "python3" },
      json: { type: "string" },
    },
  });
  const ms = numberOption("ms", values.ms!, 1), run = setting({ ...values }), results: Record<string, unknown> = {};
  console.log(describe(run));
  const rows = [["size", "B, T, I, H, layers", ...SIDES, "webgpu, GFLOP/s"]], remarks = new Set<string>();
  for (const name of values.size!.split(",")) {
    const size: Size | undefined = SIZES[name];
    if (!size) fail(`--size must be some of ${Object.keys(SIZES).join(", ")}, got "${name}"`, 2);
    const work = await workOf(size), { B, T, I, H, layers } = size;
    const outcomes: Record<Side, Outcome> = {
      "wasm": await stepTime(work, "wasm", ms),
      "webgpu": await stepTime(work, "webgpu", ms),
      "PyTorch CUDA": await pytorchTime(work, values.python!, ms),
    };
    for (const side of SIDES) {
      const { why, about } = outcomes[side];
      remarks.add(why ? `${side} was not run at ${name}: ${why}` : `${side}: ${about}`);
    }
    const figures = SIDES.map((side) => outcomes[side].ms === undefined ? "not run" : short(outcomes[side].ms!));
    const own = outcomes.webgpu.ms, rate = own === undefined ? "" : (stepFlops(size) / own / 1e6).toFixed(1);
    rows.push([name, [B, T, I, H, layers].join(", "), ...figures, rate]);
    results[name] = { size, outcomes };
  }
  console.log(`\nMilliseconds per training step, median of ${ROUNDS} rounds\n\n${markdown(rows)}\n`);
  for (const remark of remarks) console.log(remark);
  if (values.json) Deno.writeTextFileSync(values.json, `${JSON.stringify({ ...run, sizes: results }, null, 2)}\n`);
}
