/** Modules as source texts: pieces, a program, parameters. */

import { toBase64 } from "../../engine.ts";
import type { ProgramInput, ProgramText } from "../../model/program_text.ts";
import { PIECES, SINGLE_FIRST, SINGLE_KERNELS, SINGLE_WASM } from "./pieces.ts";

/** How a module computes: with WASM in itself or in a file beside it, or in JavaScript alone. */
export type WasmForm = "inline" | "file" | "none";

/** Elements of the memory before the parameters: those that the WASM module has for itself. 0 is no place. */
export function firstElement(wasm: WasmForm): number {
  return wasm === "none" ? 16 : Math.ceil(SINGLE_FIRST / 64) * 16;
}

/** The pieces that a text uses. */
export class Source {
  readonly #wanted = new Set<string>();

  /** The short name of a piece, which will be there. */
  use(name: string): string {
    this.#want(name);
    return PIECES[name]!.as;
  }

  #want(name: string): void {
    if (this.#wanted.has(name)) return;
    this.#wanted.add(name);
    PIECES[name]!.uses.forEach((other) => this.#want(other));
  }

  /** The pieces that are used. */
  get pieces(): string {
    return Object.entries(PIECES).filter(([name]) => this.#wanted.has(name)).map(([, { code }]) => code).join("");
  }
}

/** How a program's kernels are called. */
export interface Calls {
  /** Whether probabilities add up to 1. */
  readonly softmax?: boolean;
  /** Whether all bits must be those of batches: see core/exchange/module/runtime/in_turn.js. */
  readonly inTurn?: boolean;
}

/** Kernels that have other bits in batches, by what stands in for them there. */
const IN_TURN: Readonly<Record<string, string>> = {
  attentionForwardSingle: "attentionInTurn",
  layerNormSingle: "layerNormInTurn",
};

/** The piece that is a kernel in JavaScript, and its number: below 0 where WASM has none. */
function kernelOf(kernel: string, { softmax, inTurn }: Calls): { piece: string; number: number } {
  const other = inTurn ? IN_TURN[kernel] : undefined;
  if (other) return { piece: other, number: Object.values(IN_TURN).indexOf(other) - Object.keys(IN_TURN).length };
  const piece = kernel === "probabilitiesSingle" && !softmax ? "sigmoids" : kernel;
  return { piece, number: SINGLE_KERNELS.indexOf(kernel) };
}

/** What a kernel's arguments follow in a program. */
export function calledFrom(source: Source, wasm: WasmForm, calls: Calls): (kernel: string) => string {
  return (kernel) => {
    const { piece, number } = kernelOf(kernel, calls);
    return wasm === "none" ? `${source.use(piece)}(` : `c(${number},`;
  };
}

/** The statements that put inputs in their places: `x`, and of `i` the others, for T steps. */
export function feedsText(source: Source, inputs: readonly ProgramInput[]): string {
  return inputs.map(({ name, isX, size, ld, once, table, count }, i) => {
    const quoted = JSON.stringify(name), T = once ? "1" : "T", numbers = table ? 1 : size;
    const x = isX ? "x" : `${source.use("given")}(i,${quoted},${T}*${numbers})`, place = `a.inputs[${i}]`;
    return table
      ? `${source.use("feedTokens")}(${quoted},${x},${place},${size},${ld},${table},${count});`
      : `${source.use("feedNumbers")}(${quoted},${x},${place},${size},${ld});`;
  }).join("");
}

/** The statement that places a network. */
export function loadText(source: Source, program: ProgramText, wasm: WasmForm, calls: Calls): string {
  const { runs, values } = program.parameters;
  const text = toBase64(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  const places = runs.map(({ place, count, length, stride }) => `[${[place, count, length, stride].join()}]`);
  const given = `"${text}",[${places.join()}],${program.size},${program.plan}`;
  if (wasm === "none") return `${source.use("load")}(${given});`;
  // Those that WASM has none of stand at the end.
  const beyond = calls.inTurn ? Object.keys(IN_TURN).length : 0;
  const kernels = new Array<string>(SINGLE_KERNELS.length + beyond).fill("");
  for (const { piece, number } of program.kernels.map((kernel) => kernelOf(kernel, calls))) {
    kernels[number < 0 ? kernels.length + number : number] = source.use(piece);
  }
  const listed = beyond ? kernels.map((name) => name || "0").join() : kernels.join().replace(/,+$/, "");
  const own = `[${listed}],${given}`, load = source.use("loadInto");
  if (wasm === "inline") return `${load}(${source.use("instantiate")}("${SINGLE_WASM}"),${own});`;
  return `const $l=e=>${load}(e,${own});$l();`;
}
