/**
 * Predictions of models as modules beside `createPredictor`, in turns in one process; and the first answer after the import,
 * in processes of their own.
 *
 *     deno task bench:modules [--rounds 40] [--ms 20] [--starts 20]
 *
 * Times are the least of all rounds, in microseconds; both sides compute on plain SIMD, and make new answers of it, which
 * `createPredictor` does not ("core" is without).
 *
 * @module
 */

import { cpus, loadavg } from "node:os";
import { createModel, createPredictor, exportModule, type ModelConfig, modelFile } from "../../mod.ts";
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
