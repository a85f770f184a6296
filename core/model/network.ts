import { Arena, from } from "../device/arena.ts";
import { TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import { layerSuffix, type ModelConfig, type Parameter, parameterList } from "./config.ts";

/** n rounded up to a multiple of 4: kernels work on vectors of four. */
export function pad4(n: number): number {
  return Math.ceil(n / 4) * 4;
}

/** Distance between rows of `width` elements. Rows a power of two apart would share a few sets of the cache. */
export function rowStride(width: number): number {
  const padded = pad4(width);
  return padded % 64 === 0 ? padded + 16 : padded;
}

/** Moments an optimizer may keep per parameter: Adam with amsgrad keeps most. */
export const OPTIMIZER_SLOTS = 3;

/** Words of the control tensor: what changes from step to step (see core/kernels/optimizer.ts and dropout.ts). */
export const CONTROL_WORDS = 16;

/** Where a packed weight comes from; see core/kernels/linear.ts for the words. */
interface Matrix {
  readonly weight: Tensor;
  readonly rowParts: number;
  readonly rows: number;
  readonly rotate: number;
  readonly columnParts: number;
  readonly columns: number;
  readonly ldw: number;
}

/** A weight matrix: how it lies in the parameters, and its panels for y = x·Wᵀ and for dx = dy·W. */
export interface Weight extends Matrix {
  /** The parameter's own offset in the block of parameters, where its gradient goes. */
  readonly parameter: number;
  /** Panels for the forward product: N = outputs, K = inputs, padded. */
  readonly forward: Tensor;
  /** Panels for the backward product. */
  readonly backward: Tensor;
  /** Padded outputs. */
  readonly N: number;
  /** Padded inputs. */
  readonly K: number;
}

/** One direction of one GRU layer. */
export interface GruDirection {
  readonly reverse: boolean;
  /** W_ih in the order n, r, z. */
  readonly input: Weight;
  /** W_hr and W_hz. */
  readonly recurrent: Weight;
  /** W_hn. */
  readonly candidate: Weight;
  /** W_hh as a whole, for the backward product and the gradient; its forward panels are not used. */
  readonly hidden: Weight;
  /** b_in | b_ir + b_hr | b_iz + b_hz | b_hn, padded. */
  readonly bias: Tensor;
  /** Offsets of the bias parameters; null without biases. */
  readonly biasIh: number | null;
  readonly biasHh: number | null;
}

/** The sizes and the persistent tensors of a model: parameters, moments, packed weights. The same for every plan. */
export class Network {
  readonly config: Required<ModelConfig>;
  readonly parameters: readonly Parameter[];
  /** Numbers of all parameters. */
  readonly size: number;
  /** `size` rounded up to a multiple of 4; the rest is 0. */
  readonly paddedSize: number;
  readonly directions: number;
  /** H rounded up to a multiple of 4. */
  readonly Hp: number;
  /** H·directions, the width of a GRU output. */
  readonly D: number;
  /** Hp·directions. */
  readonly Dp: number;
  /** The attention's width, D, padded (in one piece, unlike Dp). */
  readonly Ap: number;
  readonly Op: number;

  readonly values: Tensor;
  readonly slots: readonly Tensor[];
  readonly gradients: Tensor;
  readonly control: Tensor;
  /** The layers of the GRU, each with its directions. */
  readonly gru: readonly (readonly GruDirection[])[];
  readonly query: Weight;
  readonly encoder: Weight;
  readonly attentionBias: Tensor;
  readonly v: Tensor;
  readonly head: Weight;
  readonly headBias: Tensor;
  /** Elements of the arena in use by all this. */
  readonly persistent: number;

  readonly #byName: ReadonlyMap<string, Parameter>;

  constructor(config: Required<ModelConfig>) {
    this.config = config;
    this.parameters = parameterList(config);
    this.#byName = new Map(this.parameters.map((p) => [p.name, p]));
    const last = this.parameters.at(-1)!;
    this.size = last.offset + last.length;
    this.paddedSize = pad4(this.size);
    const { hiddenSize: H, outputSize: O, numLayers } = config;
    this.directions = config.bidirectional ? 2 : 1;
    this.Hp = pad4(H);
    this.D = H * this.directions;
    this.Dp = this.Hp * this.directions;
    this.Ap = pad4(this.D);
    this.Op = pad4(O);

    const arena = new Arena();
    const block = () => arena.allocate(this.paddedSize);
    this.values = block();
    this.slots = Array.from({ length: OPTIMIZER_SLOTS }, block);
    this.gradients = block();
    this.control = arena.allocate(CONTROL_WORDS);

    const weight = (name: string, rowParts: number, columnParts: number, options: WeightOptions = {}): Weight => {
      const { offset, shape: [allRows, ldw] } = this.parameter(name);
      const {
        rotate = 0,
        rows = allRows! / rowParts,
        columns = ldw! / columnParts,
        skip = 0,
        forward = true,
        backward = true,
      } = options;
      const N = rowParts * pad4(rows), K = columnParts * pad4(columns);
      return {
        weight: from(this.values, offset + skip),
        parameter: offset + skip,
        rowParts,
        rows,
        rotate,
        columnParts,
        columns,
        ldw: ldw!,
        N,
        K,
        forward: arena.allocate(forward ? N * K : 0),
        backward: arena.allocate(backward ? N * K : 0),
      };
    };
    this.gru = Array.from(
      { length: numLayers },
      (_, layer) =>
        Array.from({ length: this.directions }, (_, direction) => {
          const suffix = layerSuffix(layer, direction), hidden = `gru.weight_hh${suffix}`;
          return {
            reverse: direction === 1,
            input: weight(`gru.weight_ih${suffix}`, 3, layer ? this.directions : 1, { rotate: 2 }),
            recurrent: weight(hidden, 2, 1, { rows: H, backward: false }),
            candidate: weight(hidden, 1, 1, { rows: H, skip: 2 * H * H, backward: false }),
            hidden: weight(hidden, 3, 1, { forward: false }),
            bias: arena.allocate(4 * this.Hp),
            biasIh: config.bias ? this.parameter(`gru.bias_ih${suffix}`).offset : null,
            biasHh: config.bias ? this.parameter(`gru.bias_hh${suffix}`).offset : null,
          };
        }),
    );
    const halves = { columns: H };
    this.query = weight("attention.attn.weight", 1, this.directions, halves);
    this.encoder = weight("attention.attn.weight", 1, this.directions, { ...halves, skip: this.D });
    this.attentionBias = arena.allocate(this.Ap);
    this.v = arena.allocate(this.Ap);
    this.head = weight("fc.weight", 1, this.directions);
    this.headBias = arena.allocate(this.Op);
    this.persistent = arena.length;
  }

  /** A parameter by name. */
  parameter(name: string): Parameter {
    return this.#byName.get(name)!;
  }

  /** The task that brings what the forward pass reads up to date with the parameters. */
  packForward(): TaskBuilder {
    const task = new TaskBuilder();
    for (const layer of this.gru) {
      for (const { input, recurrent, candidate, bias, biasIh, biasHh } of layer) {
        for (const w of [input, recurrent, candidate]) task.call("packForward", { panels: w.forward, ...source(w) });
        if (biasIh !== null && biasHh !== null) {
          task.call("gruPackBias", {
            bias,
            biasIh: from(this.values, biasIh),
            biasHh: from(this.values, biasHh),
            H: this.config.hiddenSize,
          });
        }
      }
    }
    for (const w of [this.query, this.encoder, this.head]) {
      task.call("packForward", { panels: w.forward, ...source(w) });
    }
    const vector = (dst: Tensor, name: string) => {
      const { offset, length } = this.parameter(name);
      task.call("packVector", { dst, src: from(this.values, offset), n: length });
    };
    vector(this.attentionBias, "attention.attn.bias");
    vector(this.v, "attention.v.weight");
    vector(this.headBias, "fc.bias");
    return task;
  }

  /** The task that brings what the backward pass reads up to date with the parameters. */
  packBackward(inputGradients: boolean): TaskBuilder {
    const task = new TaskBuilder();
    const pack = (w: Weight) => task.call("packBackward", { panels: w.backward, ...source(w) });
    this.gru.forEach((layer, l) =>
      layer.forEach(({ input, hidden }) => {
        if (l > 0 || inputGradients) pack(input);
        pack(hidden);
      })
    );
    for (const w of [this.query, this.encoder, this.head]) pack(w);
    return task;
  }
}

interface WeightOptions {
  rotate?: number;
  rows?: number;
  columns?: number;
  skip?: number;
  forward?: boolean;
  backward?: boolean;
}

/** The arguments of packForward and packBackward that say where a weight lies. */
function source(w: Weight): {
  w: Tensor;
  rowParts: number;
  rows: number;
  rotate: number;
  columnParts: number;
  columns: number;
  ldw: number;
} {
  const { weight, rowParts, rows, rotate, columnParts, columns, ldw } = w;
  return { w: weight, rowParts, rows, rotate, columnParts, columns, ldw };
}
