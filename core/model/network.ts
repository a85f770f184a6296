import { Arena, from } from "../device/arena.ts";
import { TaskBuilder } from "../device/device.ts";
import { CONTROL_WORDS } from "../device/control.ts";
import { LANES, PANEL, type Tensor } from "../device/kernels.ts";
import { type FullConfig, layerSuffix, type Parameter, parameterList } from "./config.ts";

/** Rows that stand side by side in the lanes of the kernels' vectors: one group. */
export const GROUP = LANES;

/** Groups that hold `rows` rows. */
export function groupsOf(rows: number): number {
  return Math.ceil(rows / GROUP);
}

/** Elements from one group of F features to the next. Groups a power of two apart would share a few sets of the cache. */
export function groupStride(F: number): number {
  return F * GROUP + (F % 16 === 0 ? 16 : 0);
}

/** Moments an optimizer may keep per parameter: Adam with amsgrad keeps most. */
export const OPTIMIZER_SLOTS = 3;

/** Elements that a packed (M, K) matrix takes: panels of whole rows. */
function panelSize(M: number, K: number): number {
  return Math.ceil(M / PANEL) * PANEL * K;
}

/** A weight matrix (M, K): where it lies in the parameters, and its panels for y = W·x and for dx = Wᵀ·dy. */
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

/** One direction of one GRU layer. */
export interface GruDirection {
  readonly reverse: boolean;
  /** W_ih in the order n, r, z. */
  readonly input: Weight;
  /** W_hh in the order r, z, n. */
  readonly hidden: Weight;
  /** b_in | b_ir + b_hr | b_iz + b_hz | b_hn; 0 without biases. */
  readonly bias: Tensor;
  /** Offsets of the bias parameters; null without biases. */
  readonly biasIh: number | null;
  readonly biasHh: number | null;
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

/** The sizes and the persistent tensors of a model: parameters, moments, packed weights. The same for every plan. */
export class Network {
  readonly config: FullConfig;
  readonly parameters: readonly Parameter[];
  /** Numbers of all parameters. */
  readonly size: number;
  /** `size` rounded up to a multiple of 4; the rest is 0. */
  readonly paddedSize: number;
  readonly directions: number;
  /** H·directions: the width of a GRU output, and of the attention. */
  readonly D: number;
  /** Elements that the embedding takes of all parameters, at their beginning; 0 without one. */
  readonly embedded: number;

  readonly values: Tensor;
  readonly slots: readonly Tensor[];
  readonly gradients: Tensor;
  readonly control: Tensor;
  /** Sums of the squares of the gradients, one for each range. */
  readonly squares: Tensor;
  /** The norm of the whole gradient (1). */
  readonly norm: Tensor;
  /** The layers of the GRU, each with its directions. */
  readonly gru: readonly (readonly GruDirection[])[];
  /** The halves of attention.attn.weight: for the query, and for the GRU's outputs. */
  readonly query: Weight;
  readonly encoder: Weight;
  readonly attentionBias: Tensor;
  readonly v: Tensor;
  readonly head: Weight;
  readonly headBias: Tensor;
  /** Elements of the arena in use by all this. */
  readonly persistent: number;

  readonly #byName: ReadonlyMap<string, Parameter>;

  constructor(config: FullConfig) {
    this.config = config;
    this.parameters = parameterList(config);
    this.#byName = new Map(this.parameters.map((p) => [p.name, p]));
    const last = this.parameters.at(-1)!;
    this.size = last.offset + last.length;
    this.paddedSize = Math.ceil(this.size / 4) * 4;
    const { hiddenSize: H, outputSize: O, numLayers } = config;
    this.directions = config.bidirectional ? 2 : 1;
    this.D = H * this.directions;
    this.embedded = Math.ceil(config.numEmbeddings * config.inputSize / 4) * 4;

    const arena = new Arena();
    const block = () => arena.allocate(this.paddedSize);
    // The product reads biases to the next multiple of 10.
    const bias = (length: number) => arena.allocate(length + 9);
    this.values = block();
    this.slots = Array.from({ length: OPTIMIZER_SLOTS }, block);
    this.gradients = block();
    this.control = arena.allocate(CONTROL_WORDS);
    this.squares = arena.allocate(this.#starts().length);
    this.norm = arena.allocate(1);

    const weight = (name: string, { rotate = 0, skip = 0, columns = 0 } = {}): Weight => {
      const { offset, shape } = this.parameter(name), [M, ldw] = shape as [number, number];
      const K = columns || ldw;
      const forward = arena.allocate(panelSize(M, K)), backward = arena.allocate(panelSize(K, M));
      return { offset: offset + skip, M, K, ldw, rotate, forward, backward };
    };
    this.gru = Array.from(
      { length: numLayers },
      (_, layer) =>
        Array.from({ length: this.directions }, (_, direction) => {
          const suffix = layerSuffix(layer, direction);
          return {
            reverse: direction === 1,
            input: weight(`gru.weight_ih${suffix}`, { rotate: 2 * H }),
            hidden: weight(`gru.weight_hh${suffix}`),
            bias: bias(4 * H),
            biasIh: config.bias ? this.parameter(`gru.bias_ih${suffix}`).offset : null,
            biasHh: config.bias ? this.parameter(`gru.bias_hh${suffix}`).offset : null,
          };
        }),
    );
    this.query = weight("attention.attn.weight", { columns: this.D });
    this.encoder = weight("attention.attn.weight", { columns: this.D, skip: this.D });
    this.attentionBias = bias(this.D);
    this.v = arena.allocate(this.D);
    this.head = weight("fc.weight");
    this.headBias = bias(O);
    this.persistent = arena.length;
  }

  /** A parameter by name. */
  parameter(name: string): Parameter {
    return this.#byName.get(name)!;
  }

  /** Where the pieces of all parameters begin: none holds both an embedding's numbers and others. */
  #starts(): number[] {
    const starts: number[] = [];
    for (let start = 0; start < this.paddedSize;) {
      starts.push(start);
      start = start < this.embedded ? Math.min(start + RANGE, this.embedded) : start + RANGE;
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
    const vectors = new TaskBuilder(), tasks = [vectors];
    const pack = ({ offset, forward, M, K, ldw, rotate }: Weight) => {
      const task = new TaskBuilder();
      task.call("packForward", { panels: forward, w: from(this.values, offset), M, K, ldw, rotate });
      tasks.push(task);
    };
    const vector = (dst: Tensor, name: string) => {
      const { offset, length } = this.parameter(name);
      vectors.call("copyVector", { dst, src: from(this.values, offset), n: length });
    };
    for (const { input, hidden, bias, biasIh, biasHh } of this.gru.flat()) {
      pack(input);
      pack(hidden);
      if (biasIh === null || biasHh === null) continue;
      const [ih, hh] = [from(this.values, biasIh), from(this.values, biasHh)];
      vectors.call("gruPackBias", { bias, biasIh: ih, biasHh: hh, H: this.config.hiddenSize });
    }
    for (const weight of [this.query, this.encoder, this.head]) pack(weight);
    vector(this.attentionBias, "attention.attn.bias");
    vector(this.v, "attention.v.weight");
    vector(this.headBias, "fc.bias");
    return tasks;
  }

  /** The tasks that bring what the backward pass reads up to date with the parameters. */
  packBackward(inputGradients: boolean): TaskBuilder[] {
    const weights = this.gru.flatMap((layer, l) =>
      layer.flatMap(({ input, hidden }) => l > 0 || inputGradients ? [input, hidden] : [hidden])
    );
    return [...weights, this.query, this.encoder, this.head].map(({ offset, backward, M, K, ldw, rotate }) => {
      const task = new TaskBuilder();
      task.call("packBackward", { panels: backward, w: from(this.values, offset), M: K, K: M, ldw, rotate });
      return task;
    });
  }
}
