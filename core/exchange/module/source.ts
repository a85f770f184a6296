/** Modules as source texts: pieces, a program, parameters. */

import { toBase64 } from "../../engine.ts";
import type { ProgramText } from "../../model/program_text.ts";
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

/** What a kernel's arguments follow in a program. */
export function calledFrom(source: Source, wasm: WasmForm, softmax: boolean): (kernel: string) => string {
  const piece = (kernel: string) => source.use(kernel === "probabilitiesSingle" && !softmax ? "sigmoids" : kernel);
  return (kernel) => wasm === "none" ? `${piece(kernel)}(` : `c(${SINGLE_KERNELS.indexOf(kernel)},`;
}

/** The statement that places a network. */
export function loadText(source: Source, program: ProgramText, wasm: WasmForm, softmax: boolean): string {
  const { runs, values } = program.parameters;
  const text = toBase64(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  const places = runs.map(({ place, count, length, stride }) => `[${[place, count, length, stride].join()}]`);
  const given = `"${text}",[${places.join()}],${program.size},${program.plan}`;
  if (wasm === "none") return `${source.use("load")}(${given});`;
  const kernels = SINGLE_KERNELS.map((name) =>
    !program.kernels.includes(name as never)
      ? ""
      : source.use(name === "probabilitiesSingle" && !softmax ? "sigmoids" : name)
  );
  const own = `[${kernels.join().replace(/,+$/, "")}],${given}`, load = source.use("loadInto");
  if (wasm === "inline") return `${load}(${source.use("instantiate")}("${SINGLE_WASM}"),${own});`;
  return `const $l=e=>${load}(e,${own});$l();`;
}
