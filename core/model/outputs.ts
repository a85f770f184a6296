/** What becomes of a network's outputs: predictions, and losses with their gradients. */

import { from } from "../device/arena.ts";
import type { TaskBuilder } from "../device/device.ts";
import { LANES, type Tensor } from "../device/kernels.ts";
import { type Block, groupsOfValue, type Value } from "./layers/layer.ts";
import { LOSSES, type LossName, type LossSettings, lossTerms, targetWidth } from "./losses.ts";

/** The loss of one output. */
export interface OutputLoss {
  /** The network's output. */
  readonly output: string;
  /** null: its gradient comes from outside. */
  readonly loss: LossName | null;
  readonly settings: Readonly<LossSettings>;
  /** What it counts in the sum of several losses. Default 1. */
  readonly weight?: number;
  /** Whether rows count differently, and whether classes, or targets of 1, do. */
  readonly weighted?: boolean;
  readonly outputWeighted?: boolean;
}

/** An output without gaps between its groups, as losses and activations read it: a copy if it has gaps. */
function dense(task: TaskBuilder, block: Block, { data, stride, shape }: Value): Tensor {
  const { size: F } = shape, groups = groupsOfValue(block, shape), lddst = F * LANES;
  if (stride === lddst) return data;
  const dst = block.scratch.allocate(groups * lddst);
  task.call("copyGroups", { dst, src: data, groups, F, lddst, ldsrc: stride, accumulate: 0 });
  return dst;
}

/** What an output means after training with a loss: probabilities, or values as they are. */
export function predictions(task: TaskBuilder, block: Block, output: string, value: Value, loss: LossName): void {
  const { shape } = value, { size: O } = shape, { activation } = LOSSES[loss], wanted = `@${output}.prediction`;
  const y = dense(task, block, value), groups = groupsOfValue(block, shape);
  if (activation === "sigmoid") task.call("sigmoidGroups", { y, x: y, groups, O });
  if (activation === "softmax") task.call("softmaxGroups", { y, sums: block.words, x: y, groups, O });
  block.publish(task, wanted, { shape, data: y, stride: O * LANES, gradient: null });
}

/** A loss over one block, its gradient by the output, and the count of right rows. */
export class LossPass {
  readonly #block: Block;
  readonly #loss: OutputLoss;
  readonly #value: Value;
  readonly #stats: Tensor;

  constructor(block: Block, loss: OutputLoss, value: Value, stats: Tensor) {
    this.#block = block;
    this.#loss = loss;
    this.#value = value;
    this.#stats = stats;
  }

  call(task: TaskBuilder): void {
    const { gradient, shape, stride } = this.#value, { scratch } = this.#block, O = shape.size, lddst = O * LANES;
    const groups = groupsOfValue(this.#block, shape), logits = dense(task, this.#block, this.#value);
    const accumulate = gradient?.claim() ?? 0, direct = gradient && !accumulate && gradient.stride === lddst;
    const dLogits = direct ? gradient.into : scratch.allocate(groups * lddst);
    if (this.#loss.loss) this.#measure(task, this.#loss.loss, logits, dLogits);
    else this.#given(task, dLogits);
    if (!gradient || direct) return;
    const sizes = { groups, F: O, lddst: stride, ldsrc: lddst, accumulate };
    task.call("copyGroups", { dst: gradient.into, src: dLogits, ...sizes });
  }

  /** The gradient comes from outside. */
  #given(task: TaskBuilder, dLogits: Tensor): void {
    const { T, rows, row0, lengths } = this.#block, { kind, size: F } = this.#value.shape;
    const src = this.#block.io(`@${this.#loss.output}.gradient`)!, lddst = F * LANES;
    task.call("clear", { dst: this.#stats, n: 2 });
    if (kind === "rows") {
      task.call("rowsIn", { dst: dLogits, src: from(src, row0 * F), rows, F, lddst, ldsrc: F });
    } else {
      task.call("sequencesIn", { dst: dLogits, src: from(src, row0 * T * F), lengths, T, rows, F, lddst });
    }
  }

  #measure(task: TaskBuilder, loss: LossName, logits: Tensor, dLogits: Tensor): void {
    const { output, settings, weight = 1 } = this.#loss, { shape } = this.#value, O = shape.size;
    const { B, T, rows, row0, groups, lengths, scratch, mask, words } = this.#block;
    const io = (what: string) => this.#block.io(`@${output}.${what}`), steps = shape.kind === "steps";
    const width = targetWidth(loss, O, settings),
      all = groupsOfValue(this.#block, shape),
      classes = LOSSES[loss].targets === "classes";
    const given = from(io("targets")!, row0 * width * (steps ? T : 1)), weighing = io("weights");
    let targets = given, weights = weighing && from(weighing, row0 * (steps ? T : 1));
    if (steps) {
      targets = scratch.allocate(all * width * LANES);
      if (classes) task.call("classesIn", { dst: targets, src: given, lengths, T, rows });
      else task.call("sequencesIn", { dst: targets, src: given, lengths, T, rows, F: width, lddst: width * LANES });
      if (weights) {
        const dst = scratch.allocate(all * LANES);
        task.call("sequencesIn", { dst, src: weights, lengths, T, rows, F: 1, lddst: LANES });
        weights = dst;
      }
    } else if (!classes) {
      targets = scratch.allocate(groups * width * LANES);
      task.call("rowsIn", { dst: targets, src: given, rows, F: width, lddst: width * LANES, ldsrc: width });
    }
    LOSSES[loss].call(task, {
      stats: this.#stats,
      dLogits,
      logits,
      targets,
      weights,
      outputWeights: io("outputWeights"),
      constants: io("constants"),
      mask: steps ? mask : null,
      sums: words,
      rows: steps ? all * LANES : rows,
      O,
      scale: weight / (B * (steps ? T : 1) * lossTerms(loss, O)),
    }, settings);
  }
}
