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

/** What kernels are called in a program. */
export const KERNEL_NAMES = {
  number: (kernel: string): number => SINGLE_KERNELS.indexOf(kernel),
  packing: (kernel: string): string => use(kernel),
};

/** The short name of a piece. */
export function use(name: string): string {
  const piece = PIECES[name];
  if (!piece) throw new Error(`there is no piece "${name}"`);
  return piece.as;
}

/** A text that uses pieces: `of` marks their names, and those that it needs are found again. */
export class Source {
  readonly #wanted = new Set<string>();

  /** The short name of a piece, which will be there. */
  use(name: string): string {
    this.#want(name);
    return use(name);
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

/** The statements that place a network. */
export function networkText(
  source: Source,
  program: ProgramText,
  values: Float32Array,
  first: number,
  wasm: WasmForm,
): string {
  const kernels = SINGLE_KERNELS.map((name) => program.kernels.includes(name as never) ? source.use(name) : "");
  program.packing.forEach((name) => source.use(name));
  const network = `{size:${program.size},values:${first},pack:${program.pack},plan:${program.plan}}`;
  const given = `"${toBase64(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))}",${network},[${
    kernels.join().replace(/,+$/, "")
  }]`;
  if (wasm === "none") return `${source.use("load")}(${given});`;
  if (wasm === "inline") return `${source.use("load")}(${given},${source.use("instantiate")}("${SINGLE_WASM}"));`;
  return `const $load=${source.use("load")}.bind(0,${given});$load();`;
}
