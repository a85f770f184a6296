/** The files of a module. */

import { fromBase64 } from "../../engine.ts";
import { fail } from "../../errors.ts";
import { LOSSES } from "../../model/losses.ts";
import { type ProgramText, programText } from "../../model/program_text.ts";
import { SinglePrograms } from "../../model/single_program.ts";
import { VERSION } from "../../version.ts";
import { ACTION } from "../onnx.ts";
import { pageText } from "./page.ts";
import { SINGLE_WASM } from "./pieces.ts";
import { calledFrom, firstElement, loadText, Source, type WasmForm } from "./source.ts";
import type { ModuleFiles, ModuleSubject } from "./subject.ts";
import { typesText } from "./types.ts";
import { json, wordsOf } from "./words.ts";

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
  const { net, values, output, loss } = subject, advice = "keep the model as a checkpoint";
  const isSoftmax = loss !== undefined && LOSSES[loss].activation === "softmax";
  const programs = new SinglePrograms(net, values, { output, loss: loss ?? "mse" }, { action: ACTION, advice });
  const source = new Source(), called = calledFrom(source, wasm, isSoftmax);
  const program = programText(programs, values, firstElement(wasm), called);
  const { constants, predict, start, info, types } = wordsOf(source, subject, program);
  const engine = wasm === "none" ? `engine:"JavaScript"` : `get engine(){return ${source.use("engine")}()}`;
  const body = [
    loadText(source, program, wasm, isSoftmax),
    networkFunction(source, program, programs.width, wasm),
    constants,
    `export const info={...${json({ name, version: VERSION, ...info })},${engine}},predict=${predict}`,
    start ? `,start=${start}` : "",
    wasm === "file"
      ? `,useWasm=async m=>$l(await ${source.use("fetched")}(m,${json(`${name}.wasm`)},import.meta.url))`
      : "",
    ";\n",
    format === "html" ? `${source.use("page")}(predict,info);\n` : "",
  ];
  return {
    text: [
      format === "js" ? `// A model of Grutto ${VERSION}; its types are in ${name}.d.ts.\n` : "",
      source.pieces,
      ...body,
    ]
      .join(""),
    types: typesText(types, wasm === "file"),
  };
}

/** What the network says of numbers or tokens: `$n(x, inputs)` gives its outputs and the attention weights. */
function networkFunction(source: Source, program: ProgramText, width: number, wasm: WasmForm): string {
  const { inputs, output: { size, ld, steps }, hasWeights } = program;
  const feeds = inputs.map(({ name, isX, size, ld, once, table, count }, i) => {
    const quoted = json(name), T = once ? "1" : "T", numbers = table ? 1 : size;
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
