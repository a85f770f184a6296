/** A model's parameters, and what it keeps in memory between batches: values, moments, gradients, packed weights. */

import { Arena, from } from "../device/arena.ts";
import { CONTROL_WORDS } from "../device/control.ts";
import { TaskBuilder } from "../device/device.ts";
import { PANEL, type Tensor } from "../device/kernels.ts";

/** A parameter as a layer describes it. */
export interface ParameterSpec {
  /** PyTorch's name within the layer. */
  readonly name: string;
  /** Whether it is beside the layer instead, in the module that the layer is in: "fc.weight" of the layer "decoder". */
  readonly beside?: boolean;
  /** Another name that PyTorch lists it under, beside the layer: a tied weight's. */
  readonly also?: string;
  /** PyTorch's shape. */
  readonly shape: readonly number[];
  /** Initial values: uniform in ±bound; of N(0, bound²) where `normal`; all equal to `constant`. */
  readonly bound?: number;
  readonly normal?: boolean;
  readonly constant?: number;
  /** A row of it that begins as 0. */
  readonly zeroRow?: number;
  /** Whether it is a table whose rows are looked up: its gradient is added up by itself. */
  readonly table?: boolean;
}

/** One parameter of a model. */
export interface Parameter {
  /** PyTorch's name. */
  readonly name: string;
  /** PyTorch's shape. */
  readonly shape: readonly number[];
  /** Product of the shape. */
  readonly length: number;
  /** Elements from the start of the block of all parameters. */
  readonly offset: number;
  /** Initial values are uniform in ±bound, as PyTorch's. */
  readonly bound: number;
  /** Whether they are of the normal distribution N(0, bound²) instead. */
  readonly normal: boolean;
  /** The value that all of them begin with instead. */
  readonly constant?: number;
  /** A row that begins as 0. */
  readonly zeroRow?: number;
  /** Another name that a state dict may list it under too: a tied weight's. */
  readonly also?: string;
}

/** Parameters in the order of PyTorch's state dict, and the elements that tables take at their beginning. */
export interface ParameterLayout {
  readonly list: readonly Parameter[];
  /** Elements at the beginning that hold the tables; they end at a multiple of 4. */
  readonly tables: number;
  /** Numbers of all parameters. */
  readonly size: number;
}

/**
 * Lays parameters out one after the other. Tables come first, each ending at a multiple of 4, so that a vector never holds
 * another's numbers.
 */
export function layOutParameters(specs: readonly (ParameterSpec & { readonly fullName: string })[]): ParameterLayout {
  const offsets = new Map<string, number>();
  let offset = 0;
  const place = ({ fullName, shape }: typeof specs[number]) => {
    offsets.set(fullName, offset);
    offset += product(shape);
  };
  for (const spec of specs.filter(({ table }) => table)) {
    place(spec);
    offset = Math.ceil(offset / 4) * 4;
  }
  const tables = offset;
  specs.filter(({ table }) => !table).forEach(place);
  const list = specs.map(({ fullName, shape, bound = 0, normal = false, constant, zeroRow, also }): Parameter => ({
    name: fullName,
    shape,
    length: product(shape),
    offset: offsets.get(fullName)!,
    bound,
    normal,
    ...constant !== undefined && { constant },
    ...zeroRow !== undefined && { zeroRow },
    ...also !== undefined && { also },
  }));
  return { list, tables, size: offset };
}

function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Moments an optimizer may keep per parameter: Adam with amsgrad keeps most. */
export const OPTIMIZER_SLOTS = 3;

/** Elements that a packed (M, K) matrix takes. */
function panelSize(M: number, K: number): number {
  return Math.ceil(M / PANEL) * PANEL * K;
}

/** A weight matrix (M, K): where it is among the parameters, and its panels for y = W·x and for dx = Wᵀ·dy. */
export interface Weight {
  /** Offset in the block of all parameters, where its gradient goes too. */
  readonly offset: number;
  readonly M: number;
  readonly K: number;
  /** Distance between its rows in the parameters. */
  readonly ldw: number;
  /** Row m of the product is row (m + rotate) mod M of the weight. */
  readonly rotate: number;
  readonly forward: Tensor;
  readonly backward: Tensor;
}

/** Which part of a parameter a weight is, and what its transpose is for. */
export interface WeightOptions {
  readonly rotate?: number;
  /** Columns before its first, and how many there are. Default: all. */
  readonly skip?: number;
  readonly columns?: number;
  /** The layer whose output's gradient the transpose gives. Default: one that is always wanted. */
  readonly gradientOf?: string;
}

/** A piece of the block of all parameters, with what belongs to it: gradients, moments. */
export interface ParameterRange {
  /** Its first element, and how many there are. */
  readonly start: number;
  readonly n: number;
  readonly values: Tensor;
  readonly slots: readonly Tensor[];
  readonly gradients: Tensor;
  /** Sum of the squares of these gradients. */
  readonly squares: Tensor;
  /** The norm of the whole gradient. */
  readonly norm: Tensor;
  readonly control: Tensor;
}

/** Parameters that one task updates: threads share the work, and sums of squares are added up in this order. */
const RANGE = 16384;

/** The persistent tensors of a model: parameters, moments, packed weights. The same for every plan. */
export class ParameterStore {
  readonly layout: ParameterLayout;
  /** The size rounded up to a multiple of 4; the rest is 0. */
  readonly paddedSize: number;
  readonly values: Tensor;
  readonly slots: readonly Tensor[];
  readonly gradients: Tensor;
  readonly control: Tensor;
  /** Sums of the squares of the gradients, one for each range. */
  readonly squares: Tensor;
  /** The norm of the whole gradient (1). */
  readonly norm: Tensor;
  readonly #arena = new Arena();
  readonly #byName: ReadonlyMap<string, Parameter>;
  readonly #weights: (Weight & Pick<WeightOptions, "gradientOf">)[] = [];
  readonly #vectors = new TaskBuilder();

  constructor(layout: ParameterLayout) {
    this.layout = layout;
    this.#byName = new Map(layout.list.map((p) => [p.name, p]));
    this.paddedSize = Math.ceil(layout.size / 4) * 4;
    const block = () => this.#arena.allocate(this.paddedSize);
    this.values = block();
    this.slots = Array.from({ length: OPTIMIZER_SLOTS }, block);
    this.gradients = block();
    this.control = this.#arena.allocate(CONTROL_WORDS);
    this.squares = this.#arena.allocate(this.#starts().length);
    this.norm = this.#arena.allocate(1);
  }

  /** Elements of the arena in use by all this. */
  get persistent(): number {
    return this.#arena.length;
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

  /** A matrix among the parameters, packed. */
  weight(name: string, { rotate = 0, skip = 0, columns, gradientOf }: WeightOptions = {}): Weight {
    const { offset, shape } = this.parameter(name), [M, ldw] = shape as [number, number], K = columns ?? ldw;
    const forward = this.#arena.allocate(panelSize(M, K)), backward = this.#arena.allocate(panelSize(K, M));
    const weight = { offset: offset + skip, M, K, ldw, rotate, forward, backward };
    this.#weights.push({ ...weight, gradientOf });
    return weight;
  }

  /** A vector of `length` numbers that `pack` fills from the parameters; readable to the next multiple of 10, as biases are. */
  vector(length: number, pack: (task: TaskBuilder, dst: Tensor) => void): Tensor {
    const dst = this.#arena.allocate(length + 9);
    pack(this.#vectors, dst);
    return dst;
  }

  /** A copy of a parameter. */
  copy(name: string): Tensor {
    const src = this.valuesOf(name);
    return this.vector(src.length, (task, dst) => task.call("copyVector", { dst, src, n: src.length }));
  }

  /** Where the pieces of all parameters begin: none holds both a table's numbers and others. */
  #starts(): number[] {
    const starts: number[] = [], { tables } = this.layout;
    for (let start = 0; start < this.paddedSize;) {
      starts.push(start);
      start = start < tables ? Math.min(start + RANGE, tables) : start + RANGE;
    }
    return starts;
  }

  /** All parameters in pieces; `gradients` are theirs. */
  ranges(gradients: Tensor): ParameterRange[] {
    const starts = this.#starts();
    return starts.map((start, i) => {
      const n = (starts[i + 1] ?? this.paddedSize) - start;
      const piece = (tensor: Tensor) => from(tensor, start, n);
      return {
        start,
        n,
        values: piece(this.values),
        slots: this.slots.map(piece),
        gradients: piece(gradients),
        squares: from(this.squares, i, 1),
        norm: this.norm,
        control: this.control,
      };
    });
  }

  /** The tasks that bring what the forward pass reads up to date with the parameters. */
  packForward(): TaskBuilder[] {
    return [
      this.#vectors,
      ...this.#weights.map(({ offset, forward, M, K, ldw, rotate }) => {
        const task = new TaskBuilder();
        task.call("packForward", { panels: forward, w: from(this.values, offset), M, K, ldw, rotate });
        return task;
      }),
    ];
  }

  /** The tasks that bring what the backward pass reads up to date, given the layers whose outputs get a gradient. */
  packBackward(wanted: ReadonlySet<string>): TaskBuilder[] {
    const weights = this.#weights.filter(({ gradientOf }) => gradientOf === undefined || wanted.has(gradientOf));
    return weights.map(({ offset, backward, M, K, ldw, rotate }) => {
      const task = new TaskBuilder();
      task.call("packBackward", { panels: backward, w: from(this.values, offset), M: K, K: M, ldw, rotate });
      return task;
    });
  }
}
