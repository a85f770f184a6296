/** The files of a module. */

import { fail } from "../../errors.ts";
import { LOSSES } from "../../model/losses.ts";
import { type ProgramText, programText } from "../../model/program_text.ts";
import { SinglePrograms } from "../../model/single_program.ts";
import { VERSION } from "../../version.ts";
import { ACTION } from "../onnx.ts";
import { calledFrom, firstElement, loadText, Source, type WasmForm } from "./source.ts";
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
  const advice = "keep the model as a checkpoint",
    isSoftmax = loss !== undefined && LOSSES[loss].activation === "softmax";
  const programs = new SinglePrograms(net, values, { output, loss: loss ?? "mse" }, { action: ACTION, advice });
  const source = new Source(), called = calledFrom(source, wasm, isSoftmax);
  const program = programText(programs, values, firstElement(wasm), called), { size, steps } = program.output;
  const predicts = loss ? LOSSES[loss].predicts : "scores";
  const info = { name, version: VERSION, predicts, width: programs.width, outputs: size };
  const engine = wasm === "none" ? '"JavaScript"' : `${source.use("engine")}()`;
  const outputs = steps ? `${source.use("rowsOf")}(o,${size})` : "o";
  const body = [
    loadText(source, program, wasm, isSoftmax),
    networkFunction(source, program, programs.width, wasm),
    `export const info={...${JSON.stringify(info)},get engine(){return ${engine}}},predict=(x,i)=>{const[o,w]=$n(${
      source.use("flat")
    }(x,${programs.width}),i);return{${predicts}:${outputs}${program.hasWeights ? ",attention:w" : ""}}},start=${
      source.use("streams")
    }(predict);\n`,
  ];
  return {
    text: [`// A model of Grutto ${VERSION}; its types are in ${name}.d.ts.\n`, source.pieces, ...body].join(""),
    types: plainTypes(predicts, steps, program),
  };
}

/** What the network says of numbers or tokens: `$n(x, inputs)` gives its outputs and the attention weights. */
function networkFunction(source: Source, program: ProgramText, width: number, wasm: WasmForm): string {
  const { inputs, output: { size, ld, steps }, hasWeights } = program;
  const feeds = inputs.map(({ name, isX, size, ld, once, table, count }, i) => {
    const quoted = JSON.stringify(name), T = once ? "1" : "T", numbers = table ? 1 : size;
    const x = isX ? "x" : `${source.use("given")}(i,${quoted},${T}*${numbers})`, place = `a.inputs[${i}]`;
    return table
      ? `${source.use("feedTokens")}(${quoted},${x},${place},${size},${ld},${table},${count});`
      : `${source.use("feedNumbers")}(${quoted},${x},${place},${size},${ld});`;
  });
  const read = source.use("read"), outputs = `${read}(a.output,${steps ? "T" : 1},${size},${ld})`;
  return `const $n=(x,i)=>{const T=${source.use("stepsOf")}(x,${width});let a;${
    source.use(wasm === "none" ? "run" : "runFast")
  }(T,e=>{a=e;${feeds.join("")}});return[${outputs}${hasWeights ? `,${read}(a.weights,T,1,1)` : ""}]};`;
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
