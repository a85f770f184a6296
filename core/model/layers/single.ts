/**
 * Layers over one sequence by itself, its features in the lanes of vectors. Rows of F features are padded to a multiple of
 * 4 with zeros; where a row has several parts (directions, values side by side), each part is padded.
 *
 * @module
 */

import { Arena, from } from "../../device/arena.ts";
import { TaskBuilder } from "../../device/device.ts";
import type { KernelArguments, KernelName, Tensor } from "../../device/kernels.ts";
import type { Parameter } from "../parameters.ts";
import type { Kind } from "./node.ts";

/** A value of one sequence: one row, or a row for each step. */
export interface SingleValue {
  readonly kind: Kind;
  readonly data: Tensor;
  /** Widths of the parts of a row, without padding. */
  readonly parts: readonly number[];
  /** Elements from one row to the next: whole vectors, but where products alone read it. */
  readonly ld: number;
  /** Elements of a row that products read. */
  readonly K: number;
}

/** A layer that computes one sequence by itself. */
export interface SingleLayer {
  /** Widths of the parts of its outputs' rows, by port. */
  readonly parts: Readonly<Record<string, readonly number[]>>;
  /** Adds its calls for a sequence of `plan.T` steps. Outputs by port. */
  over(plan: SinglePlan, inputs: Readonly<Record<string, SingleValue>>): Readonly<Record<string, SingleValue>>;
}

/** A program for sequences of one length. */
export interface SinglePlan {
  readonly T: number;
  readonly arena: Arena;
  readonly task: TaskBuilder;
  /** Whether what calls write for a step is left as it is, for a call over more steps. */
  readonly keeps?: boolean;
  /** What is added from here on is a program of its own. */
  part?(): void;
  /** Where steps come one by one: T is 1 then, and layers keep what they need of the steps before. */
  readonly stream?: SingleStream;
  /** What the outside writes: an input of the network, by the layer's name; its rows may come without padding. */
  input(name: string): { readonly data: Tensor; readonly ld: number };
}

/** What layers of a stream keep from step to step. */
export interface SingleStream {
  /** Keeps a tensor, of zeros before the first step. */
  keep(tensor: Tensor): void;
  /** Room for a row of each step so far. */
  history(width: number): Tensor;
  /** Steps that histories have room for. */
  readonly capacity: number;
  /** Does something at each step, counted from 0, after the calls added so far and before those added later. */
  between(act: (step: number, device: StreamDevice) => void): void;
}

/** The device as it is between a stream's calls. */
export interface StreamDevice {
  /** Runs a kernel at once. */
  call<Name extends KernelName>(kernel: Name, args: KernelArguments<Name>): void;
  /** The numbers of a tensor themselves. */
  view(tensor: Tensor): Float32Array;
}

/** A padded matrix: one row of N outputs for each of K inputs. */
export interface Columns {
  readonly columns: Tensor;
  readonly N: number;
}

/** `n` rounded up to whole vectors. */
export function pad4(n: number): number {
  return Math.ceil(n / 4) * 4;
}

/** Elements of a row of parts. */
export function paddedWidth(parts: readonly number[]): number {
  return parts.reduce((sum, part) => sum + pad4(part), 0);
}

/** What predictors keep from sequence to sequence: parameters, packed for one sequence by itself. */
export class SingleStore {
  readonly arena = new Arena();
  /** Packs the weights, once. */
  readonly pack = new TaskBuilder();
  readonly values: Tensor;
  readonly #byName: ReadonlyMap<string, Parameter>;

  constructor(parameters: readonly Parameter[], length: number) {
    this.#byName = new Map(parameters.map((p) => [p.name, p]));
    this.values = this.arena.allocate(length);
  }

  /** A parameter by name. */
  parameter(name: string): Parameter {
    return this.#byName.get(name)!;
  }

  /** The values of a parameter. */
  valuesOf(name: string): Tensor {
    const { offset, length } = this.parameter(name);
    return from(this.values, offset, length);
  }

  /**
   * A matrix with a row of outputs for each input.
   *
   * @param inputs Widths of the parts that its inputs come in.
   * @param options `rowParts`: parts of the outputs, rotated by `rotate`; `skip`: columns before the first.
   */
  columns(name: string, inputs: readonly number[], { rowParts = 1, rotate = 0, skip = 0 } = {}): Columns {
    const { offset, shape: [allRows, ldw] } = this.parameter(name), rows = allRows! / rowParts;
    const N = rowParts * pad4(rows), K = paddedWidth(inputs), columns = this.arena.allocate(N * K);
    let row = 0, column = offset + skip;
    for (const part of inputs) {
      const args = { rowParts, rows, rotate, columnParts: 1, inputs: part, ldw: ldw! };
      this.pack.call("packColumns", { columns: from(columns, row * N), w: from(this.values, column), ...args });
      row += pad4(part);
      column += part;
    }
    return { columns, N };
  }

  /** A vector, padded in parts: that of a row of outputs. */
  vector(name: string, parts = 1): Tensor {
    const { length } = this.parameter(name), n = length / parts, dst = this.arena.allocate(parts * pad4(n));
    this.pack.call("packParts", { dst, src: this.valuesOf(name), parts, n, rotate: 0 });
    return dst;
  }
}

/** y = columns·x + bias for every row of a value. */
export function singleProduct(
  { task }: SinglePlan,
  y: Tensor,
  x: SingleValue,
  { columns, N }: Columns,
  args: { bias: Tensor; rows: number; ldy: number },
): void {
  task.call("linearForwardSingle", { y, x: x.data, columns, N, K: x.K, ldx: x.ld, ...args });
}

/** A new value with a row of these parts for each row it has. */
export function newSingle(plan: SinglePlan, kind: Kind, parts: readonly number[]): SingleValue {
  const ld = paddedWidth(parts), rows = kind === "rows" ? 1 : plan.T;
  return { kind, data: plan.arena.allocate(rows * ld), parts, ld, K: ld };
}

/** Rows that a value has in a plan. */
export function rowsOfSingle({ T }: SinglePlan, { kind }: Pick<SingleValue, "kind">): number {
  return kind === "rows" ? 1 : T;
}

/** A value whose rows are in one part. */
export function joinParts(plan: SinglePlan, value: SingleValue): SingleValue {
  const { kind, data, parts, ld } = value;
  if (parts.length === 1) return value;
  const joined = newSingle(plan, kind, [parts.reduce((sum, part) => sum + part, 0)]);
  plan.task.call("clear", { dst: joined.data, n: joined.data.length });
  for (let row = 0; row < rowsOfSingle(plan, value); row++) {
    let place = row * ld, to = row * joined.ld;
    for (const n of parts) {
      plan.task.call("copyVector", { dst: from(joined.data, to), src: from(data, place), n });
      place += pad4(n);
      to += n;
    }
  }
  return joined;
}
