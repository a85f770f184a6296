/** The files of a module. */

import { fail } from "../../errors.ts";
import { LOSSES } from "../../model/losses.ts";
import { type ProgramText, programText } from "../../model/program_text.ts";
import { SinglePrograms } from "../../model/single_program.ts";
import { VERSION } from "../../version.ts";
import { ACTION } from "../onnx.ts";
import { firstElement, KERNEL_NAMES, networkText, Source, type WasmForm } from "./source.ts";
import type { ModuleFiles, ModuleSubject } from "./subject.ts";

/** How a module is to be written. */
interface Form {
  readonly wasm: WasmForm;
  readonly format: "js" | "html";
  readonly name: string;
}

const utf8 = new TextEncoder();

/** The files of a model by name. */
export function moduleFiles(subject: ModuleSubject, form: Form): ModuleFiles {
  const { name, format } = form, { text, types } = moduleText(subject, form);
  if (format === "html" || form.wasm === "file") {
    throw fail("file-unsupported", ACTION, `it is not written as ${format === "html" ? "a page" : "two files"} yet`);
  }
  return { [`${name}.js`]: utf8.encode(text), [`${name}.d.ts`]: utf8.encode(types) };
}

/** A module as text, and its types. */
function moduleText({ net, values, output, loss, preprocessing }: ModuleSubject, { wasm, name }: Form) {
  if (preprocessing) throw fail("file-unsupported", ACTION, "its preprocessing cannot go into a module yet");
  const advice = "keep the model as a checkpoint";
  const programs = new SinglePrograms(net, values, { output, loss: loss ?? "mse" }, { action: ACTION, advice });
  const first = firstElement(wasm), source = new Source(), program = programText(programs, first, KERNEL_NAMES);
  const placed = networkText(source, program, values, first, wasm), { size, ld, steps } = program.output;
  const feeds = program.inputs.map((
    one,
  ) => [one.name, one.size, one.ld, Number(one.once), one.table, one.count, Number(one.isX)]);
  const shape = { width: programs.width, size, ld, steps, attention: program.hasWeights, feeds };
  const predicts = loss ? LOSSES[loss].predicts : "scores";
  const info = { name, version: VERSION, predicts, width: shape.width, outputs: size };
  const text = [
    `// A model of Grutto ${VERSION}: predict, start, info. See model.d.ts for the types.\n`,
    `const $s=${JSON.stringify(shape)};`,
    placed,
    `export const info={...${JSON.stringify(info)},get engine(){return ${source.use("engine")}()}},`,
    `predict=${source.use("plain")}($s,"${predicts}"),start=${source.use("streams")}(predict);\n`,
  ];
  return { text: [text[0], source.pieces, ...text.slice(1)].join(""), types: plainTypes(predicts, steps, program) };
}

/** The types of a model without preprocessing. */
function plainTypes(predicts: string, steps: boolean, { hasWeights, inputs }: ProgramText): string {
  const others = inputs.filter(({ isX }) => !isX).map(({ name }) => `${JSON.stringify(name)}: ArrayLike<number>`);
  const more = others.length ? `, inputs: { ${others.join("; ")} }` : "";
  return `/** What the model says of one sequence. */
export interface Prediction {
  ${predicts}: ${steps ? "number[][]" : "number[]"};${
    hasWeights ? "\n  /** How much each step counts. */\n  attention: number[];" : ""
  }
}
/** Numbers one after the other, or a row of them for each step. */
export type Sequence = ArrayLike<number> | readonly (readonly number[])[];
export function predict(sequence: Sequence${more}): Prediction;
/** A sequence that comes one step at a time. */
export function start(): {
  readonly steps: number;
  push(step: ArrayLike<number>${more}): Prediction;
  reset(): void;
};
export const info: {
  readonly name: string;
  readonly version: string;
  readonly predicts: "probabilities" | "values" | "quantiles" | "scores";
  /** Numbers per step, and outputs. */
  readonly width: number;
  readonly outputs: number;
  /** What it runs in: both have the same bits. */
  readonly engine: "WebAssembly" | "JavaScript";
};
`;
}
