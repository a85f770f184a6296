/**
 * ONNX's words: graphs of operators, put together one by one, in protocol buffers by the field numbers of onnx.proto.
 *
 * @module
 */

import { fail } from "../errors.ts";
import type { Field } from "./protobuf.ts";

/** Types of a tensor's elements, by their numbers. */
const TYPES = { float32: 1, int32: 6, int64: 7, float64: 11 } as const;

/** Types of a tensor's elements. */
export type ElementType = keyof typeof TYPES;

/** A tensor's dimensions, those that are not fixed by name. */
export type Dimensions = readonly (string | number)[];

/** An integer, integers, a string, strings, a real number, or a graph. */
type Attribute = number | readonly number[] | string | readonly string[] | { readonly float: number } | Graph;

/** A graph in the making. Tensors go by name; those that nobody needs to know get one of their own. */
export class Graph {
  readonly #name: string;
  readonly #fields: Field[] = [];
  readonly #taken = new Set<string>();
  #count = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** Adds an operator with one output or several, and returns the first one's name. "" is an input left out. */
  op(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    outputs: readonly string[] = [this.#unique(type)],
  ): string {
    outputs.forEach((name) => this.#take(name));
    this.#fields.push([1, [
      ...inputs.map((name): Field => [1, name]),
      ...outputs.map((name): Field => [2, name]),
      [3, this.#unique("node")],
      [4, type],
      ...Object.entries(attributes).map(([name, value]): Field => [5, [[1, name], ...attribute(value)]]),
    ]]);
    return outputs[0]!;
  }

  /** Adds a conversion to another type. */
  cast(x: string, type: ElementType, name?: string): string {
    return this.op("Cast", [x], { to: TYPES[type] }, name === undefined ? undefined : [name]);
  }

  /** Adds a cut along an axis: from one index up to, but without, another, negative ones from the end. */
  slice(x: string, axis: number, from: number, to: number | string): string {
    const end = typeof to === "string" ? to : this.constant([to]);
    return this.op("Slice", [x, this.constant([from]), end, this.constant([axis])]);
  }

  /** A graph for an attribute of an operator. */
  within(name: string): Graph {
    return new Graph(`${this.#name}/${name}`);
  }

  /** Adds numbers, and returns their name; a list is of int64. */
  constant(
    data: Float32Array | Float64Array | Int32Array | readonly number[],
    shape: readonly number[] = [data.length],
    name: string = this.#unique("constant"),
  ): string {
    const numbers = Array.isArray(data) ? BigInt64Array.from(data.map(BigInt)) : data as Float32Array;
    const type = numbers instanceof BigInt64Array
      ? TYPES.int64
      : numbers instanceof Float64Array
      ? TYPES.float64
      : numbers instanceof Int32Array
      ? TYPES.int32
      : TYPES.float32;
    const raw = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    this.#fields.push([5, [...shape.map((n): Field => [1, n]), [2, type], [8, name], [9, raw]]]);
    return name;
  }

  /** Adds an input, and returns its name. */
  input(name: string, type: ElementType, dimensions: Dimensions, about = ""): string {
    this.#take(name);
    this.#fields.push([11, valueInfo(name, type, dimensions, about)]);
    return name;
  }

  /** Makes the tensor of a name an output. */
  output(name: string, type: ElementType, dimensions: Dimensions, about = ""): void {
    this.#fields.push([12, valueInfo(name, type, dimensions, about)]);
  }

  /** GraphProto. */
  fields(): readonly Field[] {
    return [...this.#fields, [2, this.#name]];
  }

  /** Names are given by users, for inputs and outputs, and by layers: no two may be the same. */
  #take(name: string): void {
    if (this.#taken.has(name)) {
      const advice = "rename an input or output of the network";
      throw fail("wiring", "export model", `two tensors would have the name "${name}"`, { name, advice });
    }
    this.#taken.add(name);
  }

  #unique(what: string): string {
    return `${this.#name}/${what}${this.#count++}`;
  }
}

/** What follows the name in AttributeProto: the value, and the number of its type. */
function attribute(value: Attribute): Field[] {
  if (value instanceof Graph) return [[6, value.fields()], [20, 5]];
  if (typeof value === "number") return [[3, value], [20, 2]];
  if (typeof value === "object" && "float" in value) return [[2, Float32Array.of(value.float)], [20, 1]];
  if (typeof value === "string") return [[4, value], [20, 3]];
  const list = value as readonly (number | string)[], texts = typeof list[0] === "string";
  return [...list.map((item): Field => [texts ? 9 : 8, item]), [20, texts ? 8 : 7]];
}

/** ValueInfoProto. */
function valueInfo(name: string, type: ElementType, dimensions: Dimensions, about: string): Field[] {
  const shape = dimensions.map((n): Field => [1, [typeof n === "string" ? [2, n] : [1, n]]]);
  return [[1, name], [2, [[1, [[1, TYPES[type]], [2, shape]]]]], ...about ? [[3, about] as const] : []];
}
