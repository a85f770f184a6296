/**
 * Models as modules: one file that predicts, for any program or page, with nothing else to install.
 *
 * @module
 */

import { quote } from "../display.ts";
import { checkArgument, fail } from "../errors.ts";
import { ownOptions } from "../options.ts";
import { checkModelFile, type ModelFile } from "./config.ts";
import { type ModuleFiles, type ModuleOptions, stepWork, subjectOf } from "./module/subject.ts";
import { ACTION } from "./onnx.ts";

export { type ModuleFiles, type ModuleOptions, stepWork };

/**
 * A model as one ES module without dependencies, for browsers, Deno, Node, Bun and workers: the model, its preprocessing, and
 * what predicts. No file is read or written.
 *
 * | export of the module | |
 * |---|---|
 * | `predict(sequence, inputs?)` | what the model says of one sequence, at once: with preprocessing of rows, objects by column or a text, in the data's own words and units |
 * | `start()` | a stream: `push(step)` says what all steps so far do |
 * | `search(source, options?)` | of a decoder of tokens: the best answers, the best first, with the options of {@linkcode Predictor.search}; `predict` gives the best |
 * | `forecast(source, { steps, start }?)` | of a decoder of numbers: the same as `predict` |
 * | `info` | what the model takes and gives, and what it runs in |
 *
 * Numbers are those of {@linkcode createPredictor} on plain SIMD, to the bit.
 *
 * @param file The model: see `modelFile`.
 * @returns The files by name: "model.js" and its types "model.d.ts", with "model.wasm" if it is to be a file; or
 * "model.html", a page.
 * @throws {TypeError} If the network is none that a module computes, such as one with layers behind its decoder; or its
 * preprocessing is for another.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, createPredictor, exportModule, modelFile } from "@grutto/grutto";
 *
 * const config = { inputSize: 5, hiddenSize: 10, outputSize: 2, loss: "bce" as const };
 * using model = await createModel(config, { simd: "plain" });
 * const files = await exportModule(await modelFile(model));
 * assert.deepEqual(Object.keys(files), ["model.js", "model.d.ts"]);
 *
 * const url = `data:text/javascript;base64,${files["model.js"]!.toBase64()}`;
 * const { predict } = await import(url);
 * using predictor = await createPredictor(model);
 * const x = Float32Array.from({ length: 50 }, (_, i) => Math.sin(i)); // 10 steps of 5 numbers
 * assert.deepEqual(predict(x).probabilities, [...predictor.predict(x).outputs]);
 * ```
 */
export async function exportModule(file: ModelFile, options: ModuleOptions = {}): Promise<ModuleFiles> {
  checkArgument(ACTION, "file", file, ["parameters"]);
  const own = ownOptions(ACTION, options, { wasm: true, format: true, name: true, output: true });
  const { wasm = "inline", format = "js", name = "model", output } = own;
  oneOf("wasm", wasm, ["inline", "file", "none"]);
  oneOf("format", format, ["js", "html"]);
  if (typeof name !== "string" || !/^[^\\/\0]+$/.test(name)) {
    throw fail("option-out-of-range", ACTION, `name must be a file's name, got ${quote(name)}`, {
      option: "name",
      value: name,
    });
  }
  checkModelFile(file);
  const subject = subjectOf(file, output);
  const { moduleFiles } = await import("./module/files.ts");
  return moduleFiles(subject, { wasm, format, name });
}

function oneOf(option: string, value: unknown, choices: readonly string[]): void {
  if (choices.includes(value as string)) return;
  const expected = choices.map((choice) => `"${choice}"`).join(", ");
  throw fail("option-out-of-range", ACTION, `${option} must be one of ${expected}, got ${quote(value)}`, {
    option,
    expected,
    value,
  });
}
