/**
 * Writes a model as an ONNX file, for the prediction sides: just as much of the format (protocol buffers) as that
 * takes.
 *
 * @module
 */

import type { NamedArray, StateDict } from "../../../mod.ts";
import type { Size } from "../work.ts";

/** A field of a message: its number in onnx.proto, and its value. */
type Field = readonly [number, number | string | Uint8Array | readonly Field[]];

/** A message's bytes. Whole numbers as variable-length integers, everything else with its length before it. */
function message(fields: readonly Field[]): Uint8Array {
  const bytes: number[] = [];
  const whole = (n: number) => {
    for (; n >= 128; n = Math.floor(n / 128)) bytes.push(n % 128 + 128);
    bytes.push(n);
  };
  for (const [field, value] of fields) {
    if (typeof value === "number") {
      whole(8 * field);
      whole(value);
      continue;
    }
    const data = typeof value === "string"
      ? new TextEncoder().encode(value)
      : value instanceof Uint8Array
      ? value
      : message(value);
    whole(8 * field + 2);
    whole(data.length);
    for (const byte of data) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

const FLOAT = 1, INT64 = 7;

/** TensorProto. */
function tensor(name: string, type: number, shape: readonly number[], data: Float32Array | BigInt64Array): Field {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [5, [...shape.map((n) => [1, n] as const), [2, type], [8, name], [9, raw]]];
}

/** NodeProto; attributes are whole numbers. */
function node(
  type: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Record<string, number> = {},
): Field {
  const INT = 2;
  const attribute = ([name, i]: [string, number]): Field => [5, [[1, name], [3, i], [20, INT]]];
  return [1, [
    ...inputs.map((name) => [1, name] as const),
    ...outputs.map((name) => [2, name] as const),
    [4, type],
    ...Object.entries(attributes).map(attribute),
  ]];
}

/** ValueInfoProto of floats; the dimensions by name or number. */
function value(field: 11 | 12, name: string, dimensions: readonly (string | number)[]): Field {
  const shape = dimensions.map((n): Field => [1, [typeof n === "string" ? [2, n] : [1, n]]]);
  return [field, [[1, name], [2, [[1, [[1, FLOAT], [2, shape]]]]]]];
}

/** PyTorch's gate order r, z, n to ONNX's z, r, n. */
function gates({ data }: NamedArray): Float32Array {
  const third = data.length / 3, r = data.slice(0, third), z = data.slice(third, 2 * third);
  return Float32Array.from([...z, ...r, ...data.slice(2 * third)]);
}

/** Columns `from` to `to` of a matrix, transposed. */
function turned({ shape, data }: NamedArray, from = 0, to = shape[1]!): Float32Array {
  const [M, K] = shape as [number, number], result = new Float32Array((to - from) * M);
  for (let k = from; k < to; k++) for (let m = 0; m < M; m++) result[(k - from) * M + m] = data[m * K + k]!;
  return result;
}

/** A model: input "x" (T, B, I); outputs "probabilities" (B, O) and "weights" (T, B, 1). */
export function onnxModel({ I, H, O, layers }: Size, p: StateDict): Uint8Array {
  const floats = (name: string, shape: number[], data: Float32Array) => tensor(name, FLOAT, shape, data);
  const axes = (name: string, axis: bigint) => tensor(name, INT64, [1], BigInt64Array.of(axis));
  const nodes: Field[] = [], constants: Field[] = [axes("first", 0n), axes("second", 1n)];
  let x = "x";
  for (let l = 0; l < layers; l++) {
    const get = (name: string) => gates(p[`gru.${name}_l${l}`]!);
    constants.push(floats(`W${l}`, [1, 3 * H, l ? H : I], get("weight_ih")));
    constants.push(floats(`R${l}`, [1, 3 * H, H], get("weight_hh")));
    constants.push(floats(`B${l}`, [1, 6 * H], Float32Array.from([...get("bias_ih"), ...get("bias_hh")])));
    const attributes = { hidden_size: H, linear_before_reset: 1 };
    nodes.push(node("GRU", [x, `W${l}`, `R${l}`, `B${l}`], [`Y${l}`, `last${l}`], attributes));
    nodes.push(node("Squeeze", [`Y${l}`, "second"], [x = `outputs${l}`]));
  }
  const attention = p["attention.attn.weight"]!;
  constants.push(
    floats("wQuery", [H, H], turned(attention, 0, H)),
    floats("bQuery", [H], p["attention.attn.bias"]!.data),
    floats("wOutputs", [H, H], turned(attention, H, 2 * H)),
    floats("v", [H, 1], p["attention.v.weight"]!.data),
    floats("wHead", [H, O], turned(p["fc.weight"]!)),
    floats("bHead", [O], p["fc.bias"]!.data),
  );
  nodes.push(
    node("Squeeze", [`last${layers - 1}`, "first"], ["query"]),
    node("Gemm", ["query", "wQuery", "bQuery"], ["asked"]),
    node("MatMul", [x, "wOutputs"], ["answers"]),
    node("Add", ["answers", "asked"], ["sum"]),
    node("Tanh", ["sum"], ["hidden"]),
    node("MatMul", ["hidden", "v"], ["scores"]),
    node("Softmax", ["scores"], ["weights"], { axis: 0 }),
    node("Mul", [x, "weights"], ["weighted"]),
    node("ReduceSum", ["weighted", "first"], ["context"], { keepdims: 0 }),
    node("Gemm", ["context", "wHead", "bHead"], ["logits"]),
    node("Sigmoid", ["logits"], ["probabilities"]),
  );
  const graph: Field[] = [
    ...nodes,
    [2, "grutto"],
    ...constants,
    value(11, "x", ["T", "B", I]),
    value(12, "probabilities", ["B", O]),
    value(12, "weights", ["T", "B", 1]),
  ];
  // Format version 8; operators of version 17.
  return message([[1, 8], [7, graph], [8, [[1, ""], [2, 17]]]]);
}
