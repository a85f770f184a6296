/** The files of a module. */

import { fromBase64 } from "../../engine.ts";
import { fail } from "../../errors.ts";
import type { PipelineState } from "../../data/pipeline_state.ts";
import { LOSSES } from "../../model/losses.ts";
import { type ProgramText, programText } from "../../model/program_text.ts";
import { SinglePrograms } from "../../model/single_program.ts";
import { VERSION } from "../../version.ts";
import { ACTION } from "../onnx.ts";
import { pageText } from "./page.ts";
import { pairProgram, pairWords } from "./pairs.ts";
import { SINGLE_WASM } from "./pieces.ts";
import { calledFrom, type Calls, feedsText, firstElement, loadText, Source, type WasmForm } from "./source.ts";
import type { ModuleFiles, ModuleSubject } from "./subject.ts";
import { typesText } from "./types.ts";
import { json, type Words, wordsOf } from "./words.ts";

/** How a module is to be written. */
interface Form {
  readonly wasm: WasmForm;
  readonly format: "js" | "html";
  readonly name: string;
}

const utf8 = new TextEncoder();

/** The files of a model by name. */
export function moduleFiles(subject: ModuleSubject, form: Form): ModuleFiles {
  const { name, format, wasm } = form;
  if (format === "html") {
    if (wasm === "file") {
      throw fail("option-conflict", ACTION, 'a page is one file: wasm must be "inline" or "none"', { option: "wasm" });
    }
    return { [`${name}.html`]: utf8.encode(pageText(name, moduleText(subject, form).text)) };
  }
  const { text, types } = moduleText(subject, form);
  return {
    [`${name}.js`]: utf8.encode(text),
    [`${name}.d.ts`]: utf8.encode(types),
    ...wasm === "file" && { [`${name}.wasm`]: fromBase64(SINGLE_WASM) },
  };
}

/** A module as text, and its types. */
function moduleText(subject: ModuleSubject, { wasm, name, format }: Form): { text: string; types: string } {
  const source = new Source(),
    { program, words: { constants, predict, start, more, info, types }, calls } = subject.pairs
      ? pairText(source, subject, wasm)
      : sequenceText(source, subject, wasm);
  const engine = wasm === "none" ? `engine:"JavaScript"` : `get engine(){return ${source.use("engine")}()}`;
  const body = [
    loadText(source, program, wasm, calls),
    constants,
    `export const info=${json({ name, version: VERSION, ...info }).slice(0, -1)},${engine}},predict=${predict}`,
    start ? `,start=${start}` : "",
    more ?? "",
    wasm === "file" ? useText(source, name, program) : "",
    ";\n",
    format === "html" ? `${source.use(subject.pairs ? "pairPage" : "page")}(predict,info);\n` : "",
  ];
  const head = format === "js" ? `// A model of Grutto ${VERSION}; its types are in ${name}.d.ts.\n` : "";
  return {
    text: head + source.module(body.join("")),
    types: typesText(types, wasm === "file"),
  };
}

/** The function that goes on in WebAssembly; streams keep what they have in the memory of before. */
function useText(source: Source, name: string, { isSteady }: ProgramText): string {
  const found = `await ${source.use("fetched")}(m,${json(`${name}.wasm`)},import.meta.url)`;
  return `,useWasm=async m=>${isSteady ? `{m=${found};${source.use("enter")}();$l(m)}` : `$l(${found})`}`;
}

/** What a module is made of besides pieces. */
interface Made {
  readonly program: ProgramText;
  readonly words: Words;
  readonly calls: Calls;
}

/** Of a model from sequences to sequences. */
function pairText(source: Source, subject: ModuleSubject, wasm: WasmForm): Made {
  const made = pairProgram(source, subject, wasm);
  const { constants, ...words } = pairWords(source, subject, made);
  return { program: made.program, words: { constants: `const ${constants};`, ...words }, calls: { inTurn: true } };
}

/** Of any other. */
function sequenceText(source: Source, subject: ModuleSubject, wasm: WasmForm): Made {
  const { net, values, output, loss } = subject, advice = "keep the model as a checkpoint";
  const calls = { softmax: loss !== undefined && LOSSES[loss].activation === "softmax" };
  const programs = new SinglePrograms(net, values, { output, loss: loss ?? "mse" }, { action: ACTION, advice });
  const steady = net.firstInput.outputs.output!.kind !== "rows" && stepsComeAlone(subject.preprocessing);
  const program = programText(programs, values, firstElement(wasm), calledFrom(source, wasm, calls), { steady });
  const { constants, ...words } = wordsOf(source, subject, program);
  return {
    program,
    words: {
      constants: `const ${networkFunction(source, program, programs.width, wasm)}${constants && `,${constants}`};`,
      ...words,
    },
    calls,
  };
}

/** Whether each step of a sequence is one of the model's, by itself and whatever there are. */
function stepsComeAlone(preprocessing: unknown): boolean {
  if (preprocessing === undefined) return true;
  const { kind, inputs, windows } = preprocessing as Partial<PipelineState>;
  if (kind === "forecast" as string || windows || inputs?.kind !== "numbers") return false;
  return inputs.patch === 1 && inputs.maxLength === null;
}

/**
 * What the network says of numbers or tokens: `$n(x, inputs)` gives its outputs and the attention weights. Of a steady program
 * `$n(x, {}, s, C)` goes on behind `s` steps, of new ones alone, and gives what is used of the memory and the steps besides.
 */
function networkFunction(source: Source, program: ProgramText, width: number, wasm: WasmForm): string {
  const { inputs, output: { size, ld, steps }, hasWeights, isSteady } = program, read = source.use("read");
  const [given, began, more] = isSteady ? [",s=0,C", "s+", ",s,C"] : ["", "", ""];
  const rows = steps && isSteady ? [`+${ld}*s`, "T-s"] : ["", steps ? "T" : "1"];
  const outputs = `${read}(a.output${rows[0]},${rows[1]},${size},${ld})`;
  const weights = hasWeights ? `,${read}(a.weights,T,1,1)` : isSteady ? "," : "";
  return `$n=(x,i${given})=>{const T=${began}${source.use("stepsOf")}(x,${width});let a;${
    source.use(wasm === "none" ? "run" : "runFast")
  }(T,e=>{a=e;${feedsText(source, inputs, isSteady)}}${more});return[${outputs}${weights}${
    isSteady ? ",a.end,T" : ""
  }]}`;
}
