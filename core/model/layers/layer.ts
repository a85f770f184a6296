/**
 * What a layer is: one file that knows everything about itself and nothing about its neighbors.
 *
 * @module
 */

import { type Arena, from } from "../../device/arena.ts";
import type { TaskBuilder } from "../../device/device.ts";
import { LANES, STRIP, type Tensor, weightSlices } from "../../device/kernels.ts";
import type { LiveSteps } from "../../device/live.ts";
import type { OptionSpec } from "../../options.ts";
import type { ParameterSpec, ParameterStore, Weight } from "../parameters.ts";
import type { Kind, Node, Shape, Shapes } from "./node.ts";

/** What a layer's shapes depend on. */
export type NodeShape<Options> = Pick<Node<Options>, "name" | "inputs" | "options">;

/** A tensor from outside that a layer may be given: initial states, dropout masks. */
export type GivenInput = Pick<Shape, "kind" | "size" | "count" | "axis">;

/** A kind of layer: a row of the table of layers. */
export interface LayerType<Options extends object = Record<string, unknown>> {
  /** Its options. */
  readonly options: { readonly [Name in keyof Required<Options>]: OptionSpec };
  /** The kinds that each input may have; one whose name ends in "?" may be absent. `"*"`: any number of inputs of these. */
  readonly inputs: Readonly<Record<string, readonly Kind[]>>;
  /** Whether its inputs may be along different time axes. It then says itself which its outputs are along. */
  readonly manyAxes?: boolean;
  /** The shapes of the outputs. Throws an Error whose message says what is wrong with the inputs. */
  outputs(node: NodeShape<Options>): Shapes;
  /** Its parameters in PyTorch's order. Default: none. */
  parameters?(node: NodeShape<Options>): readonly ParameterSpec[];
  /** Streams of random numbers that it draws from. Default: none. */
  streams?(node: NodeShape<Options>): number;
  /** Multiply-adds of a step of one sequence, and the width of a state: they decide how a batch is cut into blocks. */
  work?(node: NodeShape<Options>): { readonly products: number; readonly state?: number };
  /** Whether the layer reads its inputs by products alone, which need no padded rows. */
  readonly products?: boolean;
  /** What may be given from outside, by name within the layer: "h0". */
  given?(node: NodeShape<Options>): Readonly<Record<string, GivenInput>>;
  /** Places what the layer keeps between batches, and returns the layer. Called once for each model. */
  place(node: Node<Options>, store: ParameterStore): Layer;
}

/** A layer of a model. */
export interface Layer {
  /** The layer over one block of rows: takes its memory. */
  over(block: Block, inputs: Values): Pass;
}

/** Values by port. */
export type Values = Readonly<Record<string, Value>>;

/** A layer over one block of rows. */
export interface Pass {
  /** By port; absent are ports that nobody reads. */
  readonly outputs: Values;
  forward(task: TaskBuilder): void;
  /** From the gradients of the outputs to those of the inputs and the parameters. Called in reverse order. */
  backward(task: TaskBuilder): void;
}

/** A value over one block of rows: (groups, F, 8), over time (T, groups, F, 8). */
export interface Value {
  readonly shape: Shape;
  readonly data: Tensor;
  /** Elements from one group to the next. */
  readonly stride: number;
  /** Where its gradient goes; null where none is wanted. */
  readonly gradient: Gradient | null;
  /** Whether it is that of a layer before, which others read too: nobody may change its gradient in place. */
  readonly shared?: boolean;
}

/**
 * The gradient of a value. Of the layers that read the value, the first in the order of backward overwrites it, and every
 * later one adds.
 */
export class Gradient {
  readonly into: Tensor;
  readonly stride: number;
  #written = false;

  constructor(into: Tensor, stride: number) {
    this.into = into;
    this.stride = stride;
  }

  /** To be called once by each writer: 0 if it is to overwrite, 1 if it is to add. */
  claim(): 0 | 1 {
    const accumulate = Number(this.#written) as 0 | 1;
    this.#written = true;
    return accumulate;
  }

  /** Whether anything was written. */
  get written(): boolean {
    return this.#written;
  }
}

/**
 * Some rows of a batch, which one task carries from the inputs to the gradients. How a batch is cut into blocks depends
 * on the model and the batch alone, and each block sums its own gradient: any number of threads gives the same bits.
 */
export interface Block {
  /** Sequences in the batch. */
  readonly B: number;
  /** First row. */
  readonly row0: number;
  /** Number of rows. */
  readonly rows: number;
  /** Groups of 8 that hold them. */
  readonly groups: number;
  /** Steps along the time axis that the layer works along. */
  readonly T: number;
  /** Lengths of these rows. */
  readonly lengths: Tensor;
  /** The lanes that are active at each step, (T, groups, 8). */
  readonly mask: Tensor;
  /** Whether these are all rows, for a device that parallelizes internally. */
  readonly wholeBatch: boolean;
  /** Whether gradients are wanted. */
  readonly backward: boolean;
  /** How dropout is done: not at all, at random, or only where a mask is given. */
  readonly dropout: DropoutMode;
  /** What changes from step to step. */
  readonly control: Tensor;
  /** This block's gradient of all parameters. */
  readonly gradient: Tensor;
  /** Memory of this block alone. */
  readonly scratch: Arena;
  /** 16 elements of it, for any call that needs so few while it runs. */
  readonly words: Tensor;
  /** The same rows along another time axis. */
  along(axis: string | undefined): Block;
  /**
   * For calls over all steps, or `count` from `first` on: those that its rows have left. Absent where nobody looks for that.
   */
  live(first?: number, count?: number): LiveSteps | undefined;
  /** A tensor that the outside reads or writes, by name: see `plan.ts`. Null where it is not wanted. */
  io(name: string): Tensor | null;
  /** Copies a value to the outside if it is wanted there; `source` is "layer.port". */
  publish(task: TaskBuilder, source: string, value: Value): void;
}

/** How dropout is done. */
export type DropoutMode = "none" | "random" | "given";

/** Groups that hold `rows` rows. */
export function groupsOf(rows: number): number {
  return Math.ceil(rows / LANES);
}

/** Elements from one group of F features to the next. Groups a power of two apart would share a few sets of the cache. */
export function groupStride(F: number): number {
  return F * LANES + (F % 16 === 0 ? 16 : 0);
}

/** Groups that a value has: those of all steps, where it has steps. */
export function groupsOfValue(block: Block, { kind, axis }: Shape): number {
  return kind === "rows" || kind === "states" ? block.groups : block.along(axis).T * block.groups;
}

/** A new value of a layer, with memory for it; its gradient if that is wanted. */
export function newValue(block: Block, shape: Shape, wantsGradient: boolean, stride = groupStride(shape.size)): Value {
  const length = groupsOfValue(block, shape) * stride, data = block.scratch.allocate(length);
  const gradient = wantsGradient ? new Gradient(block.scratch.allocate(length), stride) : null;
  return { shape, data, stride, gradient };
}

/** Whether any of a layer's inputs wants a gradient. */
export function anyGradient(inputs: Values): boolean {
  return Object.values(inputs).some(({ gradient }) => gradient !== null);
}

/** Inputs of a product (groups, F, 8), transposed: what the gradient of a weight is made from. */
export function transposedSize(F: number, groups: number): number {
  return Math.ceil(F / 8) * 8 * LANES * groups;
}

/** Elements of scratch that weightGradient needs: a strip of the product, both sides rounded up; on a GPU several products. */
export function gradientScratch({ wholeBatch }: Block, { M, K }: Weight, groups: number): number {
  const rows = wholeBatch ? (M + 7) * weightSlices({ M, N: K, groups }) : Math.min(M, STRIP) + 7;
  return rows * Math.ceil(K / 8) * 8;
}

/** The gradient of a weight from that of its product: dy (groups, M, 8) and the transposed inputs. */
export function weightGradient(
  task: TaskBuilder,
  { gradient }: Block,
  { offset, M, K, ldw, rotate }: Weight,
  args: { dy: Tensor; lddy: number; transposed: Tensor; groups: number; scratch: Tensor },
  live?: LiveSteps,
): void {
  const product = { dw: from(gradient, offset), M, N: K, lddw: ldw, rotate, ...args };
  task.call("linearBackwardWeight", product, { groups: live });
}
