/** What a module is to be made of. */

import { fail } from "../../errors.ts";
import { networkOf } from "../../model/config.ts";
import { LOSSES, type LossName } from "../../model/losses.ts";
import { PlacedNetwork } from "../../model/placed_network.ts";
import type { ModelFile } from "../config.ts";
import { ACTION } from "../onnx.ts";

/** Options of `exportModule`. */
export interface ModuleOptions {
  /**
   * "inline": WebAssembly within the module, and plain JavaScript where nothing may be compiled, such as under a page's policy
   * `script-src 'self'`. "file": the WebAssembly in a file beside it. "none": plain JavaScript alone. All have the same bits.
   * Default "inline".
   */
  readonly wasm?: "inline" | "file" | "none";
  /** "js": a module with its types. "html": a page that predicts what is typed or pasted. Default "js". */
  readonly format?: "js" | "html";
  /** The name of the files, without an ending. Default "model". */
  readonly name?: string;
  /** Of a network with several outputs, the one to predict. */
  readonly output?: string;
}

/** The files of a module, by name. */
export type ModuleFiles = Readonly<Record<string, Uint8Array<ArrayBuffer>>>;

/** What a model is for, as its module says it. */
export interface ModuleSubject {
  readonly net: PlacedNetwork;
  /** All parameters, as the network's layout says. */
  readonly values: Float32Array<ArrayBuffer>;
  readonly output: string;
  /** The loss that says what outputs mean; undefined: nobody knows. */
  readonly loss: LossName | undefined;
  readonly quantiles: readonly number[] | undefined;
  readonly preprocessing: unknown;
  /** Whether it is from sequences to sequences. */
  readonly pairs: boolean;
}

/** Bytes of parameters: as text they must stay within what engines take for one string. */
const MOST_BYTES = 2 ** 28;

/** Multiply-adds that a model makes for a step. */
export function stepWork(file: ModelFile): number {
  return new PlacedNetwork(networkOf(file)).work.products;
}

/** Reads a model's file. */
export function subjectOf(file: ModelFile, asked: string | undefined): ModuleSubject {
  const { config, loss: given, meanings = {}, parameters, preprocessing } = file;
  const net = new PlacedNetwork(networkOf(file)), { layout, nodes } = net.resolved;
  if (4 * layout.size > MOST_BYTES) {
    throw fail("file-too-large", ACTION, `a module takes parameters of 256 MiB, it has ${4 * layout.size} bytes`, {
      advice: "export it with exportOnnx",
      value: 4 * layout.size,
    });
  }
  if (asked === undefined && net.outputs.length !== 1) {
    const there = net.outputs.map((name) => `"${name}"`).join(", ") || "none";
    throw fail("option-missing", ACTION, `the network has several outputs: there is ${there}`, {
      option: "output",
      advice: "pass { output }",
    });
  }
  const output = asked ?? net.outputs[0]!;
  net.outputShape(ACTION, output);
  const loss = config ? given ?? config.loss : meanings[output]?.loss ?? given, values = new Float32Array(layout.size);
  for (const { name, offset } of layout.list) values.set(parameters[name]!.data, offset);
  const quantiles = config ? config.quantiles : meanings[output]?.quantiles;
  return {
    net,
    values,
    output,
    loss,
    quantiles: loss && LOSSES[loss].predicts === "quantiles" ? quantiles : undefined,
    preprocessing: preprocessing ?? undefined,
    pairs: nodes.some(({ type }) => type === "decoder"),
  };
}
