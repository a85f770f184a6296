/**
 * Predictions of models as modules beside `createPredictor`, in turns in one process: of sequences, of steps that come one by
 * one, of a decoder; and the first answer after the import, in processes of their own.
 *
 *     deno task bench:modules [--rounds 40] [--ms 20] [--starts 20]
 *
 * Times are the least of all rounds, in microseconds; both sides compute on plain SIMD, and make new answers of it, which
 * `createPredictor` does not ("core" is without).
 *
 * @module
 */

import { cpus, loadavg } from "node:os";
import {
  createModel,
  createPredictor,
  defineNetwork,
  exportModule,
  type ModelConfig,
  modelFile,
  type NetworkModel,
} from "../../mod.ts";
import { commandLine, numberOption } from "../command_line.ts";

/** A model and the steps of its sequences. */
const SIZES: readonly (ModelConfig & { readonly steps: number; readonly name: string })[] = [
  { name: "sample job", steps: 10, inputSize: 5, hiddenSize: 10, outputSize: 2 },
  { name: "text of 5 tokens", steps: 5, inputSize: 32, hiddenSize: 16, outputSize: 2, numEmbeddings: 100 },
  { name: "16 → 64 → 4", steps: 50, inputSize: 16, hiddenSize: 64, outputSize: 4 },
  { name: "32 → 128 → 4", steps: 64, inputSize: 32, hiddenSize: 128, outputSize: 4 },
];

const { values } = commandLine("deno task bench:modules", "Predictions of models as modules beside createPredictor.", {
  rounds: { type: "string", default: "40", about: "turns of each side" },
  ms: { type: "string", default: "20", about: "milliseconds of predictions at a time" },
  starts: { type: "string", default: "20", about: "processes that import a module" },
});
const rounds = numberOption("rounds", values.rounds, 1), ms = numberOption("ms", values.ms, 1);

/** Microseconds of a call, over some milliseconds. */
function timed(call: () => void): number {
  const start = performance.now();
  let count = 0, now = start;
  for (; now < start + ms; now = performance.now()) {
    for (let i = 0; i < 20; i++) call();
    count += 20;
  }
  return 1000 * (now - start) / count;
}

/** A module in both forms. */
async function modulesOf(model: NetworkModel) {
  const load = async (wasm: "inline" | "none") => {
    const files = await exportModule(await modelFile(model), { wasm });
    return await import(`data:text/javascript;base64,${files["model.js"]!.toBase64()}#${crypto.randomUUID()}`);
  };
  return { module: await load("inline"), "plain JavaScript": await load("none") };
}

/** The least microseconds of a push behind so many steps, of ten at a time. */
function pushed(open: () => (step: Float32Array) => void, history: number): number {
  const step = Float32Array.of(1, 0.5, -1, 0.2, 0.7);
  let least = Infinity;
  for (let round = 0; round < Math.max(2, 600 / history); round++) {
    const push = open();
    for (let t = 0; t < history - 20; t++) push(step);
    for (let part = 0; part < 4; part++) least = Math.min(least, timesOf(() => push(step), 10));
  }
  return least;
}

/** Microseconds of a call, the mean of some. */
function timesOf(call: () => void, count: number): number {
  const start = performance.now();
  for (let i = 0; i < count; i++) call();
  return 1000 * (performance.now() - start) / count;
}

/** Streams: of the sample job's network, whose attention weighs all steps, and of one that goes by its last state. */
async function streams() {
  const last = defineNetwork(({ numbers, gru, linear }) =>
    linear("fc", gru("gru", numbers("x", 5), { hiddenSize: 10 }).state, 2)
  );
  const options = { seed: 1, simd: "plain" } as const;
  const models = {
    "sample job": await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2, loss: "bce" }, options),
    "last state": await createModel(last, { ...options, loss: "bce" }),
  };
  for (const [name, model] of Object.entries<NetworkModel>(models)) {
    using _ = model;
    using predictor = await createPredictor(model);
    const open = (start: () => { push(step: Float32Array): unknown }) => () => {
      const stream = start();
      return (step: Float32Array) => void stream.push(step);
    };
    const sides = Object.entries(await modulesOf(model)).map(([side, { start }]) => [side, open(start)] as const);
    const shown = [["core", open(() => predictor.stream())] as const, ...sides].map(([side, one]) =>
      `${side} ${[60, 600, 6000].map((history) => pushed(one, history).toFixed(1)).join(", ")}`
    );
    console.log(`a push behind 60, 600 and 6,000 steps, ${name}: ${shown.join("; ")} µs`);
  }
}

/** Searches of a decoder over one source. */
async function searches() {
  const sizes = { sourceTokens: 50, sourceSize: 48, targetTokens: 30, targetSize: 48, hiddenSize: 48 };
  using model = await createModel({ task: "seq2seq", ...sizes }, { seed: 1, simd: "plain", threads: 1 });
  using predictor = await createPredictor(model);
  const x = Int32Array.from({ length: 16 }, (_, t) => 2 + t * 7 % 48), all = await modulesOf(model);
  for (const width of [1, 5]) {
    const options = { width, maxLength: 12 }, least: Record<string, number> = {};
    for (let round = 0; round < 2 * rounds; round++) {
      const start = performance.now();
      await predictor.search(x, options);
      least.core = Math.min(least.core ?? Infinity, 1000 * (performance.now() - start));
      for (const [side, { search }] of Object.entries(all)) {
        least[side] = Math.min(least[side] ?? Infinity, timesOf(() => search(x, options), 1));
      }
    }
    const shown = Object.entries(least).map(([side, time]) => `${side} ${time.toFixed(0)}`).join(", ");
    console.log(`a decoder's 12 tokens, width ${width}: ${shown} µs`);
  }
}

const folder = await Deno.makeTempDir();
try {
  console.log(`${cpus()[0]?.model}, load ${loadavg().map((n) => n.toFixed(1)).join(" ")}`);
  for (const [n, { name, steps, ...config }] of SIZES.entries()) {
    using model = await createModel({ ...config, loss: "crossEntropy" }, { seed: 1, simd: "plain" });
    using predictor = await createPredictor(model);
    const x = config.numEmbeddings
      ? Int32Array.from({ length: steps }, (_, i) => i * 7 % config.numEmbeddings!)
      : Float32Array.from({ length: steps * config.inputSize }, (_, i) => Math.sin(i));
    const sides: Record<string, () => void> = { core: () => predictor.predict(x) };
    for (const wasm of ["inline", "none"] as const) {
      const files = await exportModule(await modelFile(model), { wasm, name: `${wasm}${n}` }),
        path = `${folder}/${wasm}${n}.js`;
      await Deno.writeFile(path, files[`${wasm}${n}.js`]!);
      const { predict } = await import(`file://${path}`);
      sides[wasm === "inline" ? "module" : "plain JavaScript"] = () => predict(x);
    }
    const least: Record<string, number> = {};
    for (let round = 0; round < rounds; round++) {
      for (const [side, call] of Object.entries(sides)) least[side] = Math.min(least[side] ?? Infinity, timed(call));
    }
    const shown = Object.entries(least).map(([side, time]) => `${side} ${time.toFixed(2)}`).join(", ");
    console.log(`${name}: ${shown} µs; module / core ${(least.module! / least.core!).toFixed(2)}`);
  }
  await streams();
  await searches();
  for (const form of ["inline", "none"]) {
    const program = `const x = Float32Array.from({ length: 50 }, (_, i) => Math.sin(i)), start = performance.now();
      const { predict } = await import("./${form}0.js");
      const { probabilities } = predict(x);
      console.log(performance.now() - start, probabilities.length);`;
    await Deno.writeTextFile(`${folder}/main.js`, program);
    const times: number[] = [];
    for (let i = 0; i < numberOption("starts", values.starts, 1); i++) {
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", `--allow-read=${folder}`, "main.js"],
        cwd: folder,
      })
        .output();
      times.push(parseFloat(new TextDecoder().decode(stdout)));
    }
    times.sort((a, b) => a - b);
    console.log(
      `${form}: the first answer ${times[0]!.toFixed(2)} to ${times.at(-1)!.toFixed(2)} ms after the import, ` +
        `median ${times[times.length >> 1]!.toFixed(2)}`,
    );
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
