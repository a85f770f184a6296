import { from } from "../../device/arena.ts";
import type { TaskBuilder } from "../../device/device.ts";
import { LANES, type Tensor } from "../../device/kernels.ts";
import type { Live } from "../../device/live.ts";
import type { Weight } from "../parameters.ts";
import type { Cell, CellTensors } from "./cells.ts";
import { type DecoderSizes, type FullDecoderOptions, sizesOf } from "./decoder_options.ts";
import type { DecoderWeights } from "./decoder_weights.ts";
import {
  type Block,
  Gradient,
  gradientScratch,
  groupStride,
  newValue,
  transposedSize,
  type Value,
  type Values,
} from "./layer.ts";
import type { Node } from "./node.ts";

/** Elements of what is kept rather than computed anew: a part of a second-level cache. */
const KEPT = 2 ** 18;

/** Something of every step: groups `ld` elements apart, `skip` elements from the start of each. */
export interface Steps {
  readonly data: Tensor;
  readonly ld: number;
  readonly skip: number;
}

/** A mask of dropout. */
export interface Mask extends Steps {
  /** "targetMask", "readoutMask"; its stream of random numbers. */
  readonly name: string;
  readonly stream: number;
  readonly F: number;
  /** The probability of 0. */
  readonly p: number;
}

/** Steps: the first, and how many. */
export type Range = readonly [u: number, n: number];

/** Somewhere in something of every step: groups `ld` elements apart. */
export type At = { readonly data: Tensor; readonly ld: number };

/**
 * A decoder over a block: S steps of keys, U of its own. Everything that the readout reads is in one buffer of U + 1 slots,
 * slot u + 1 holding [state after step u; context; what it is fed]: each is written where it is read, and the readout of all
 * steps is one product, as is the part of the gates that comes from known inputs.
 *
 * Memory, in elements, with R rows rounded up to groups of 8 and W = H + D + E: U·R·(W + 4H·L + A + O + S) + S·R·A; for
 * backward U·R·(2W + H·L) + S·R·A more, and U·S·R·A where that is little.
 */
export class DecoderMemory {
  readonly outputs: Record<string, Value>;
  readonly cell: Cell;
  readonly node: Node<FullDecoderOptions>;
  readonly sizes: DecoderSizes;
  readonly weights: DecoderWeights;
  /** Along the decoder's own steps; and along those of the keys. */
  readonly block: Block;
  readonly source: Block;
  readonly inputs: Values;
  /** Slots of the readout's input, and its gradient. */
  readonly read: Steps;
  readonly dRead: Steps;
  /** By layer the states, U + 1 slots each, and the gradient of the hidden one; that of the last layer is in `read`. */
  readonly states: Steps[][] = [];
  readonly dStates: Steps[] = [];
  readonly dCells: Tensor[] = [];
  readonly gates: Steps[];
  readonly tokens: Tensor;
  /** Where it is fed targets; null: everywhere. */
  readonly teacher: Tensor | null;
  readonly targetMask: Mask | null;
  readonly readoutMask: Mask | null;
  /** By layer what it reads of the one below, after dropout, and its gradient. Nothing of the first. */
  readonly layerMasks: readonly (Mask | null)[];
  readonly below: readonly Steps[];
  readonly dBelow: readonly Steps[];
  /** What the readout reads, after dropout. */
  readonly dropped: Steps;
  readonly dDropped: Steps;
  readonly projected: Steps;
  readonly dProjected: Steps;
  readonly keys: Tensor;
  readonly queries: Steps;
  readonly dQueries: Steps;
  readonly lda: number;
  readonly scores: Tensor;
  /** What the attention hides, kept for backward where it fits the caches, else scratch with the stride 0. */
  readonly hidden: Steps;
  readonly dKeys: Tensor;
  readonly dv: Tensor;
  readonly transposed: Tensor;
  readonly scratch: Tensor;
  /** Whether it stops where all rows have ended. */
  readonly #ends: boolean;

  constructor(cell: Cell, node: Node<FullDecoderOptions>, weights: DecoderWeights, block: Block, inputs: Values) {
    const { name, stream, options: { numLayers: L, dropout, layerDropout, tied } } = node, keys = inputs.keys!;
    const own = this.block = block.along(node.inputs.targets!.axis),
      source = this.source = block.along(keys.shape.axis);
    const { T: U, groups, backward, scratch } = own, S = source.T, { H, D, E, A, tokens } = this.sizes = sizesOf(node);
    this.cell = cell;
    this.node = node;
    this.#ends = ["state", "states", "context"].every((port) => !node.uses(`${name}.${port}`));
    this.weights = weights;
    this.inputs = inputs;
    const W = H + D + E, all = (U + 1) * groups, back = (n: number) => scratch.allocate(backward ? n : 0);
    const steps = (F: number, make = (n: number) => scratch.allocate(n), count = U * groups): Steps => {
      const ld = groupStride(F);
      return { data: make(count * ld), ld, skip: 0 };
    };
    const ld = groupStride(W);
    this.read = steps(W, undefined, all);
    this.dRead = steps(W, back, all);
    for (let l = 0; l < L; l++) {
      const top = l === L - 1, width = top ? W : H;
      this.states.push(cell.states.map((_, s) => top && !s ? this.read : steps(width, undefined, all)));
      this.dStates.push(top ? this.dRead : steps(H, back, all));
      this.dCells.push(back(cell.states.length > 1 ? groups * H * LANES : 0));
    }
    this.gates = weights.cells.map(() => steps(4 * H));
    this.tokens = scratch.allocate(tokens ? all * LANES : 0);
    this.teacher = own.io(`${name}.teacher`) && scratch.allocate(U * groups * LANES);
    const mask = (port: string, F: number, stream: number, p = dropout): Mask | null => {
      const used = own.dropout === "random" ? p > 0 : own.dropout === "given" && own.io(`${name}.${port}`) !== null;
      return used ? { ...steps(F), name: port, stream, F, p } : null;
    };
    this.targetMask = tokens ? mask("targetMask", E, stream) : null;
    this.readoutMask = mask("readoutMask", W, stream + 1);
    this.layerMasks = this.states.map((_, l) => l ? mask(`layerMask${l}`, H, stream + 1 + l, layerDropout) : null);
    const read = (mask: Mask | null, from: Steps, make?: typeof back): Steps =>
      mask ? steps(H, make) : { ...from, skip: groups * from.ld };
    this.below = this.layerMasks.map((mask, l) => read(mask, this.states[Math.max(0, l - 1)]![0]!));
    this.dBelow = this.layerMasks.map((mask, l) => read(mask, this.dStates[Math.max(0, l - 1)]!, back));
    this.dropped = this.readoutMask ? steps(W) : { ...this.read, skip: groups * ld };
    this.dDropped = this.readoutMask ? steps(W, back) : this.dRead;
    this.projected = tied ? steps(E) : this.dropped;
    this.dProjected = tied ? steps(E, back) : this.dRead;
    const { answers: given } = inputs;
    this.lda = given?.stride ?? groupStride(A);
    this.keys = given?.data ?? scratch.allocate(S * groups * this.lda);
    this.queries = steps(A);
    this.dQueries = steps(A, back);
    this.scores = back(S * groups * LANES);
    const hidden = U * S * groups * this.lda, keeps = backward && !own.wholeBatch && hidden <= KEPT;
    this.hidden = { data: scratch.allocate(keeps ? hidden : A * LANES), ld: keeps ? this.lda : 0, skip: 0 };
    this.dKeys = back(S * groups * this.lda);
    this.dv = back(A * LANES);
    const { cells, context, asks, answers, projection, fc } = weights;
    const ours = [...cells.flatMap(({ input, hidden }) => [input, hidden]), context, asks.weight, fc.weight];
    if (projection) ours.push(projection.weight);
    const scratches = [
      ...ours.map((w) => gradientScratch(own, w, U * groups)),
      gradientScratch(own, answers, S * groups),
    ];
    const widths = [transposedSize(W, U * groups), transposedSize(D, S * groups)];
    this.transposed = back(Math.max(...widths));
    this.scratch = back(Math.max(...scratches));
    this.outputs = { ...this.values(S) };
  }

  /** What it gives to others. */
  values(S: number): Record<string, Value> {
    const { outputs, name, uses } = this.node,
      { T: U, groups, backward, scratch } = this.block,
      { H, O } = this.sizes;
    const view = (port: string, skip: number): Value => {
      const { data } = this.at(this.read, 1, skip), { ld: stride } = this.read, shape = outputs[port]!;
      const wanted = backward && uses(`${name}.${port}`) > 0;
      return {
        shape,
        data,
        stride,
        gradient: wanted ? new Gradient(scratch.allocate(U * groups * stride), stride) : null,
      };
    };
    const weights = {
      shape: outputs.weights!,
      data: scratch.allocate(U * S * groups * LANES),
      stride: LANES,
      gradient: null,
    };
    // Without gaps between groups: losses read it so.
    const output = newValue(this.block, outputs.output!, backward, O * LANES);
    const used = uses(`${name}.states`) > 0, wanted = used || this.block.io(`${name}.states`);
    const states = wanted && newValue(this.block, outputs.states!, backward && used);
    return { output, state: view("state", 0), ...states && { states }, context: view("context", H), weights };
  }

  /** Step `u` of something, from the feature `feature` on. */
  at({ data, ld, skip }: Steps, u: number, feature = 0): { data: Tensor; ld: number } {
    return { data: from(data, skip + u * this.block.groups * ld + feature * LANES), ld };
  }

  /** Where step `u` is fed, its context, and their gradients. */
  fed(u: number, steps = this.read) {
    return this.at(steps, u + 1, this.sizes.H + this.sizes.D);
  }
  context(u: number, steps = this.read) {
    return this.at(steps, u + 1, this.sizes.H);
  }

  get output(): Steps {
    const { data, stride } = this.outputs.output!;
    return { data, ld: stride, skip: 0 };
  }

  get dOutput(): Steps {
    const { into, stride } = this.outputs.output!.gradient!;
    return { data: into, ld: stride, skip: 0 };
  }

  /** Whether what it says goes back into it with a gradient. */
  get feedsNumbers(): boolean {
    return this.teacher !== null && !this.sizes.tokens;
  }

  /** What calls over `n` steps from `u` on follow: nothing where others read what stands in all steps. */
  live(u = 0, n = this.block.T - u): Live {
    return this.#ends ? { groups: this.block.live(u, n) } : {};
  }

  /** y = W·x + bias over `n` steps from `u` on; without a bias of its own y += W·x where `add`. */
  product(
    task: TaskBuilder,
    y: At,
    x: At,
    { forward: panels, M, K }: Weight,
    [u, n]: Range,
    bias: Tensor | null,
    add = false,
  ) {
    const args = { panels, M, K, groups: n * this.block.groups }, live = this.live(u, n);
    if (!add) task.call("linearForward", { y: y.data, x: x.data, bias, ldy: y.ld, ldx: x.ld, ...args }, live);
    else {
      const sum = { dx: y.data, dy: x.data, lddx: y.ld, lddy: x.ld, accumulate: 1, ...args };
      task.call("linearBackwardInput", sum, live);
    }
  }

  /** dx = Wᵀ·dy over `n` steps from `u` on, or dx += … . */
  back(task: TaskBuilder, dx: At, dy: At, { backward: panels, M, K }: Weight, [u, n]: Range, accumulate: 0 | 1) {
    const args = { panels, M: K, K: M, groups: n * this.block.groups, accumulate };
    const product = { dx: dx.data, dy: dy.data, lddx: dx.ld, lddy: dy.ld, ...args };
    task.call("linearBackwardInput", product, this.live(u, n));
  }

  /** What a layer's cell takes at step `u`. */
  tensors(l: number, u: number, panels: Tensor): CellTensors {
    const { groups, mask } = this.block, { data: gates, ld: ldg } = this.at(this.gates[l]!, u);
    return {
      states: this.states[l]!.map((states) => this.at(states, u).data),
      ld: this.states[l]![0]!.ld,
      gates,
      ldg,
      panels,
      bias: this.weights.cells[l]!.bias,
      mask: from(mask, u * groups * LANES),
      T: 1,
      groups,
      H: this.sizes.H,
      reverse: 0,
    };
  }

  /** y = x ∘ mask over `n` steps from `u` on. */
  drop(task: TaskBuilder, mask: Mask, y: At, x: At, u: number, n: number): void {
    const { data, ld: ldm } = this.at(mask, u), groups = n * this.block.groups;
    const args = { y: y.data, x: x.data, mask: data, groups, F: mask.F, ldy: y.ld, ldx: x.ld, ldm };
    task.call("dropoutApply", args, this.live(u, n));
  }

  /** What the attention hides at step `u`. */
  hiddenOf(u: number): At {
    const { data, ld } = this.hidden;
    return { data: from(data, u * this.source.T * this.block.groups * ld), ld };
  }

  /** The attention weights of step `u`. */
  weightsOf(u: number): Tensor {
    const n = this.source.T * this.block.groups * LANES;
    return from(this.outputs.weights!.data, u * n, n);
  }
}
