/** The files of a module. */

import { fromBase64 } from "../../engine.ts";
import { fail } from "../../errors.ts";
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
    `export const info={...${json({ name, version: VERSION, ...info })},${engine}},predict=${predict}`,
    start ? `,start=${start}` : "",
    more ?? "",
    wasm === "file"
      ? `,useWasm=async m=>$l(await ${source.use("fetched")}(m,${json(`${name}.wasm`)},import.meta.url))`
      : "",
    ";\n",
    format === "html" ? `${source.use(subject.pairs ? "pairPage" : "page")}(predict,info);\n` : "",
  ];
  const head = format === "js" ? `// A model of Grutto ${VERSION}; its types are in ${name}.d.ts.\n` : "";
  return {
    text: head + source.module(body.join("")),
    types: typesText(types, wasm === "file"),
  };
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
  return { program: made.program, words: pairWords(source, subject, made), calls: { inTurn: true } };
}

/** Of any other. */
function sequenceText(source: Source, subject: ModuleSubject, wasm: WasmForm): Made {
  const { net, values, output, loss } = subject, advice = "keep the model as a checkpoint";
  const calls = { softmax: loss !== undefined && LOSSES[loss].activation === "softmax" };
  const programs = new SinglePrograms(net, values, { output, loss: loss ?? "mse" }, { action: ACTION, advice });
  const program = programText(programs, values, firstElement(wasm), calledFrom(source, wasm, calls));
  const { constants, ...words } = wordsOf(source, subject, program);
  return {
    program,
    words: { constants: networkFunction(source, program, programs.width, wasm) + constants, ...words },
    calls,
  };
}

/** What the network says of numbers or tokens: `$n(x, inputs)` gives its outputs and the attention weights. */
function networkFunction(source: Source, program: ProgramText, width: number, wasm: WasmForm): string {
  const { inputs, output: { size, ld, steps }, hasWeights } = program;
  const read = source.use("read"), outputs = `${read}(a.output,${steps ? "T" : 1},${size},${ld})`;
  return `const $n=(x,i)=>{const T=${source.use("stepsOf")}(x,${width});let a;${
    source.use(wasm === "none" ? "run" : "runFast")
  }(T,e=>{a=e;${feedsText(source, inputs)}});return[${outputs}${hasWeights ? `,${read}(a.weights,T,1,1)` : ""}]};`;
}
