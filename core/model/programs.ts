import { Arena, from } from "../device/arena.ts";
import { type Plan, type Program, type Task, TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import { Attention } from "./attention.ts";
import { type Block, blockRows, type InputsOutputs } from "./block.ts";
import { GruLayers } from "./gru.ts";
import { type DropoutMode, Head, type LossName, lossTerms } from "./head.ts";
import { GROUP, groupsOf, type Network, type ParameterRange } from "./network.ts";

/** What a plan is for. */
export interface PlanRequest {
  /** Sequences in the batch. */
  readonly B: number;
  /** Steps of the longest. */
  readonly T: number;
  /** "forward": all outputs; "predict": probabilities and attention weights; "evaluate": loss only; "gradients"; "step": train. */
  readonly purpose: "forward" | "predict" | "evaluate" | "gradients" | "step";
  /** Whether initial states are given. */
  readonly h0: boolean;
  /** For all but "forward" and "predict". */
  readonly loss?: LossName;
  /** For "predict": the loss trained with, which says what the logits mean. */
  readonly activation?: LossName;
  /** Default "none". */
  readonly dropout?: DropoutMode;
  /** For "step": adds the clipping and the optimizer's call for a range, its gradients being summed up. */
  readonly update?: (task: TaskBuilder, range: ParameterRange) => void;
  /** Fewest blocks that are worth several threads. */
  readonly parallelFrom: number;
  /** Whether the batch stays one block. Default false. */
  readonly wholeBatch?: boolean;
}

/** A plan with its tensors and programs by name. */
export interface ModelPlan extends Plan {
  readonly io: InputsOutputs;
  /** Number of blocks the batch is cut into. */
  readonly blocks: number;
  /** Brings the packed weights up to date: what forward reads, and what backward reads besides. */
  readonly pack: Program;
  /** From inputs to results. */
  readonly main: Program;
}

/** Lays out the memory and writes the programs for a request. */
export function makePlan(network: Network, request: PlanRequest): ModelPlan {
  const { B, T, purpose } = request;
  const { config, D, directions } = network;
  const arena = new Arena(network.persistent);
  const backward = purpose === "gradients" || purpose === "step";
  const random = request.dropout === "random";
  const headMode = random && config.dropout === 0 ? "none" : request.dropout ?? "none";
  const states = config.numLayers * directions;
  const R = request.wholeBatch ? B : blockRows(network, B, T), blocks = Math.ceil(B / R);

  const tensor = (wanted: boolean, length: number): Tensor | null => wanted ? arena.allocate(length) : null;
  const all = purpose === "forward" || purpose === "gradients", predict = purpose === "predict";
  const io: InputsOutputs = {
    B,
    x: arena.allocate(B * T * config.inputSize),
    lengths: arena.allocate(B),
    h0: tensor(request.h0, states * B * config.hiddenSize),
    dropoutMask: tensor(headMode === "given", B * D),
    targets: tensor(
      request.loss !== undefined,
      request.loss ? B * lossTerms(request.loss, config.outputSize).width : 0,
    ),
    logits: tensor(all, B * config.outputSize),
    probabilities: tensor(predict, B * config.outputSize),
    attentionWeights: tensor(all || predict, B * T),
    context: tensor(all, B * D),
    output: tensor(all, B * T * D),
    hidden: tensor(all, states * B * config.hiddenSize),
    stats: tensor(request.loss !== undefined, 2 * blocks),
    dx: tensor(purpose === "gradients", B * T * config.inputSize),
    dh0: tensor(purpose === "gradients", states * B * config.hiddenSize),
  };
  const { paddedSize, size, gradients } = network;
  const parts = backward && blocks > 1 ? arena.allocate(blocks * paddedSize) : gradients;

  const tasks: Task[] = [];
  let scratchLength = 0;
  for (let index = 0; index < blocks; index++) {
    const space = new Arena(0, true), task = new TaskBuilder();
    const gradient = blocks > 1 ? from(parts, index * paddedSize, paddedSize) : parts;
    const rows = Math.min(R, B - index * R), groups = groupsOf(rows);
    const block: Block = {
      network,
      io,
      row0: index * R,
      rows,
      groups,
      T,
      lengths: from(io.lengths, index * R),
      mask: space.allocate(T * groups * GROUP),
      backward,
      dropLayers: random && config.layerDropout > 0 && config.numLayers > 1,
      gradient,
    };
    const gru = new GruLayers(block, space);
    const attention = new Attention(block, gru, space);
    const head = new Head(block, attention, headMode, space);
    task.call("activeLanes", { mask: block.mask, lengths: block.lengths, T, rows });
    gru.forward(task);
    attention.forward(task);
    head.forward(task);
    if (predict) head.predict(task, request.activation!);
    if (request.loss) head.loss(task, request.loss, index);
    if (backward) {
      if (paddedSize > size) task.call("clear", { dst: from(gradient, size), n: paddedSize - size });
      head.backward(task);
      attention.backward(task, head.dContext);
      gru.backward(task);
    }
    tasks.push(task.calls);
    scratchLength = Math.max(scratchLength, space.length);
  }
  const main: (readonly Task[])[] = [tasks];
  const { update } = request;
  if (backward) {
    const ranges = network.ranges(), sum: Task[] = [], apply: Task[] = [];
    for (const [i, range] of ranges.entries()) {
      const task = new TaskBuilder(), { gradients: grads, n, squares } = range;
      const first = from(parts, range.gradients.offset - gradients.offset);
      if (blocks > 1) task.call("sumBlocks", { grads, blocks: first, n, count: blocks, stride: paddedSize });
      if (update) {
        task.call("sumSquares", { sum: squares, grads, n });
        const next = new TaskBuilder();
        update(next, range);
        apply[i] = next.calls;
      }
      if (task.calls.length) sum.push(task.calls);
    }
    const norm = new TaskBuilder();
    norm.call("gradientNorm", { norm: network.norm, sums: network.squares, n: ranges.length });
    if (sum.length) main.push(sum);
    if (update) main.push([norm.calls], apply);
  }
  const packs = [...network.packForward(), ...backward ? network.packBackward(io.dx !== null) : []];
  const tasksOf = (builders: TaskBuilder[]): Task[] => builders.map(({ calls }) => calls);
  // One task where threads do not share it: each costs a call.
  const parallel = blocks >= request.parallelFrom;
  const pack = [parallel ? tasksOf(packs) : [tasksOf(packs).flat()]];
  return { io, blocks, pack, main, parallel, arena: arena.length, scratch: scratchLength, programs: [pack, main] };
}
