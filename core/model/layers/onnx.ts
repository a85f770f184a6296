/**
 * What layers need to be written as ONNX operators. Values of steps are (time, batch, F), those of sequences (batch, F).
 *
 * @module
 */

import type { Node } from "./node.ts";

/** An integer, integers, a string, strings, or a real number. */
type Attribute = number | readonly number[] | string | readonly string[] | { readonly float: number };

/** A graph in the making: see core/exchange/onnx_graph.ts. Tensors go by name. */
export interface OnnxGraph {
  /** Adds an operator, and returns its first output's name. "" is an input left out. */
  op(
    type: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, Attribute>>,
    outputs?: readonly string[],
  ): string;
  /** Adds a conversion to another type. */
  cast(x: string, type: "float32" | "int32" | "int64" | "float64", name?: string): string;
  /** Adds numbers, and returns their name; a list is of int64. */
  constant(data: Float32Array | Int32Array | readonly number[], shape?: readonly number[], name?: string): string;
}

/** What a layer finds around it. */
export interface OnnxContext {
  readonly graph: OnnxGraph;
  /** A parameter by its full name. */
  readonly parameter: (name: string) => { readonly shape: readonly number[]; readonly data: Float32Array };
  /** Valid steps of each sequence, int32 (batch); "" where all steps are valid. */
  readonly lengths: string;
  /** The count of steps, int64 (1). */
  readonly time: string;
  /** Whether each step of each sequence is valid, bool (time, batch, 1); "" where all are. */
  readonly valid: () => string;
  /** A tensor from outside: initial states; "" where it is not an input. */
  readonly given: (name: string) => string;
}

/** Writes a layer as operators: outputs by port. */
export type OnnxLayer<Options> = (
  context: OnnxContext,
  node: Node<Options>,
  inputs: Readonly<Record<string, string>>,
) => Readonly<Record<string, string>>;

/** Arrays one after the other. */
export function join(parts: readonly Float32Array[]): Float32Array {
  const result = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** Columns `from` to `to` of a matrix, transposed. */
export function transposedColumns(
  { shape, data }: { readonly shape: readonly number[]; readonly data: Float32Array },
  from: number,
  to: number,
): Float32Array {
  const [M, K] = shape as [number, number], result = new Float32Array((to - from) * M);
  for (let k = from; k < to; k++) for (let m = 0; m < M; m++) result[(k - from) * M + m] = data[m * K + k]!;
  return result;
}

/** x with 0 behind each sequence's length. */
export function maskedOnnx({ graph, valid }: OnnxContext, x: string): string {
  const mask = valid();
  return mask ? graph.op("Where", [mask, x, graph.constant(Float32Array.of(0))]) : x;
}
