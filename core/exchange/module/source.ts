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

/** What stands around a piece's name in a text until `Source.module` gives it a short one: no JSON holds either. */
const OPEN = "\x01", CLOSE = "\x02";

/** Names of one letter that no text made here has for anything else. */
const LETTERS = "ABDEFGHIJKLMNOPQRSUVWXYZ$";

/** The names of pieces by what stands for them in their code. */
const PIECE_NAMES: ReadonlyMap<string, string> = new Map(Object.entries(PIECES).map(([name, { as }]) => [as, name]));

/** An identifier that is no property; it may be spread. */
const NAME = /(?<![\w$]|(?<!\.\.)\.)[\w$]+/g;

/** The pieces that a text uses. */
export class Source {
  readonly #wanted = new Set<string>();

  /** What stands for a piece, which will be there. */
  use(name: string): string {
    this.#want(name);
    return OPEN + name + CLOSE;
  }

  #want(name: string): void {
    if (this.#wanted.has(name)) return;
    this.#wanted.add(name);
    PIECES[name]!.uses.forEach((other) => this.#want(other));
  }

  /** The pieces that are used and a text over them, all under names that are as short as they can be. */
  module(text: string): string {
    const codes = Object.entries(PIECES).flatMap(([name, { code }]) => this.#wanted.has(name) ? [code] : []);
    const counts = new Map<string, number>(), used = new Set<string>();
    const count = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
    for (const code of codes) {
      for (const [one] of code.matchAll(NAME)) PIECE_NAMES.has(one) ? count(PIECE_NAMES.get(one)!) : used.add(one);
    }
    const PLACE = new RegExp(`${OPEN}(\\w+)${CLOSE}`, "g");
    for (const [, name] of text.matchAll(PLACE)) count(name!);
    const letters = [...LETTERS].filter((letter) => !used.has(letter));
    const short = new Map(
      [...counts].sort(([, a], [, b]) => b - a).map(([name], i) =>
        [name, letters[i] ?? `_${(i - letters.length).toString(36)}`] as const
      ),
    );
    const named = codes.map((code) => code.replace(NAME, (one) => short.get(PIECE_NAMES.get(one) ?? "") ?? one));
    return joined(named) + text.replace(PLACE, (_, name) => short.get(name)!);
  }
}

/** Statements one after the other, declarations of a kind as one. */
function joined(codes: readonly string[]): string {
  let all = "", before: string | undefined;
  for (const code of codes.filter((code) => code !== "")) {
    const kind = /^(?:const|let) /.exec(code)?.[0];
    all = kind && kind === before ? `${all.slice(0, -1)},${code.slice(kind.length)}` : all + code;
    before = kind;
  }
  return all;
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

/** The statements that put inputs in their places: `x`, and of `i` the others, for T steps; of a steady program behind `s`. */
export function feedsText(source: Source, inputs: readonly ProgramInput[], isSteady = false): string {
  return inputs.map(({ name, isX, size, ld, once, table, count }, i) => {
    const isNew = isSteady && !once, T = once ? "1" : isSteady ? "(T-s)" : "T";
    const quoted = JSON.stringify(name), numbers = table ? 1 : size;
    const x = isX ? "x" : `${source.use("given")}(i,${quoted},${T}*${numbers})`;
    const place = `a.inputs[${i}]${isNew ? `+${ld}*s` : ""}`;
    return table
      ? `${source.use("feedTokens")}(${quoted},${x},${place},${size},${ld},${table},${count})`
      : `${source.use("feedNumbers")}(${quoted},${x},${place},${size},${ld})`;
  }).join(";");
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
