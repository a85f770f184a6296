import { Arena, from } from "../device/arena.ts";
import { type Plan, type Program, type Task, TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import { Attention } from "./attention.ts";
import { type Block, blockRows, type InputsOutputs } from "./block.ts";
import { GruLayers } from "./gru.ts";
import { type DropoutMode, Head, type LossName, lossTerms } from "./head.ts";
import { GROUP, groupsOf, type Network, type ParameterRange } from "./network.ts";
import { occurrencesLength, scatterTasks } from "./tokens.ts";

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
  /** Whether rows count differently, and whether targets of 1 do. Default false. */
  readonly weighted?: boolean;
  readonly posWeighted?: boolean;
  /** For "predict": the loss trained with, which says what the logits mean. */
  readonly activation?: LossName;
  /** Default "none". */
  readonly dropout?: DropoutMode;
  /** For "step": adds the clipping and the optimizer's call for a range. None: the gradient waits for a later step. */
  readonly update?: (task: TaskBuilder, range: ParameterRange) => void;
  /** For "step": whether the gradient is averaged with what waits of steps before. Default false. */
  readonly accumulate?: boolean;
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

/** Tasks that an embedding's gradient is cut into where threads share it. */
const SCATTER_TASKS = 16;

/** Where everything of a request goes. */
export interface Layout {
  readonly network: Network;
  readonly request: PlanRequest;
  readonly io: InputsOutputs;
  /** Elements of the arena. */
  readonly arena: number;
  /** Sequences of a block, and how many blocks there are. */
  readonly R: number;
  readonly blocks: number;
  readonly backward: boolean;
  readonly headMode: DropoutMode;
  /** This batch's gradient. */
  readonly gradient: Tensor;
  /** The gradients of the blocks, each of partSize elements: all but the embedding's. */
  readonly parts: Tensor | null;
  readonly partSize: number;
}

/** Lays out the memory for a request. */
export function layOut(network: Network, request: PlanRequest): Layout {
  const { B, T, purpose } = request;
  const { config, D, directions, embedded, paddedSize } = network;
  const arena = new Arena(network.persistent);
  const backward = purpose === "gradients" || purpose === "step";
  const headMode = request.dropout === "random" && config.dropout === 0 ? "none" : request.dropout ?? "none";
  const states = config.numLayers * directions, scatter = backward && embedded > 0;
  const R = request.wholeBatch ? B : blockRows(network, B, T), blocks = Math.ceil(B / R);

  const tensor = (wanted: boolean, length: number): Tensor | null => wanted ? arena.allocate(length) : null;
  const all = purpose === "forward" || purpose === "gradients", predict = purpose === "predict";
  const io: InputsOutputs = {
    B,
    x: arena.allocate(B * T * (embedded ? 1 : config.inputSize)),
    lengths: arena.allocate(B),
    h0: tensor(request.h0, states * B * config.hiddenSize),
    dropoutMask: tensor(headMode === "given", B * D),
    targets: tensor(
      request.loss !== undefined,
      request.loss ? B * lossTerms(request.loss, config.outputSize).width : 0,
    ),
    weights: tensor(request.weighted ?? false, groupsOf(B) * GROUP),
    posWeight: tensor(request.posWeighted ?? false, config.outputSize),
    logits: tensor(all, B * config.outputSize),
    probabilities: tensor(predict, B * config.outputSize),
    attentionWeights: tensor(all || predict, B * T),
    context: tensor(all, B * D),
    output: tensor(all, B * T * D),
    hidden: tensor(all, states * B * config.hiddenSize),
    stats: tensor(request.loss !== undefined, 2 * blocks),
    dx: tensor(purpose === "gradients" || scatter, B * T * config.inputSize),
    dh0: tensor(purpose === "gradients", states * B * config.hiddenSize),
    occurrences: tensor(scatter, occurrencesLength(config, B, T)),
    gradients: tensor(purpose === "gradients", network.paddedSize),
  };
  // A step's gradient goes where the update reads it, unless that of other batches stands there.
  const gradient = io.gradients ?? (request.accumulate ? arena.allocate(paddedSize) : network.gradients);
  const partSize = paddedSize - embedded, parts = backward && blocks > 1 ? arena.allocate(blocks * partSize) : null;
  return { network, request, io, arena: arena.length, R, blocks, backward, headMode, gradient, parts, partSize };
}

/** The layers over block number `index`, and the scratch space they take. */
export function layersOf(layout: Layout, index: number): {
  readonly block: Block;
  readonly gru: GruLayers;
  readonly attention: Attention;
  readonly head: Head;
  readonly scratch: number;
} {
  const { network, request, io, R, backward, headMode, gradient, parts, partSize } = layout;
  const { B, T, dropout, wholeBatch = false } = request;
  const { config, paddedSize, embedded } = network;
  const space = new Arena(0, true), rows = Math.min(R, B - index * R), groups = groupsOf(rows);
  const block: Block = {
    network,
    io,
    row0: index * R,
    rows,
    groups,
    T,
    lengths: from(io.lengths, index * R),
    mask: space.allocate(T * groups * GROUP),
    wholeBatch,
    backward,
    dropLayers: dropout === "random" && config.layerDropout > 0 && config.numLayers > 1,
    gradient: parts ? from(parts, index * partSize - embedded, paddedSize) : gradient,
  };
  const gru = new GruLayers(block, space);
  const attention = new Attention(block, gru, space);
  const head = new Head(block, attention, headMode, space);
  return { block, gru, attention, head, scratch: space.length };
}

/** The forward, loss and backward pass of one block. */
function blockTask(layout: Layout, index: number): { calls: Task; scratch: number } {
  const { network: { paddedSize, size }, request: { activation, loss, T }, backward } = layout;
  const { block: { mask, lengths, rows, gradient }, gru, attention, head, scratch } = layersOf(layout, index);
  const task = new TaskBuilder();
  task.call("activeLanes", { mask, lengths, T, rows });
  gru.forward(task);
  attention.forward(task);
  head.forward(task);
  if (activation) head.predict(task, activation);
  if (loss) head.loss(task, loss, index);
  if (backward) {
    if (paddedSize > size) task.call("clear", { dst: from(gradient, size), n: paddedSize - size });
    head.backward(task);
    attention.backward(task, head.dContext);
    gru.backward(task);
  }
  return { calls: task.calls, scratch };
}

/** Writes the programs for a request. */
export function makePlan(network: Network, request: PlanRequest): ModelPlan {
  const layout = layOut(network, request), { io, blocks, arena, backward, gradient, parts, partSize } = layout;
  const { config, embedded } = network, { update, accumulate = false } = request;
  const parallel = blocks >= request.parallelFrom;
  const each = Array.from({ length: blocks }, (_, index) => blockTask(layout, index));
  const tasks = each.map(({ calls }) => calls), main: (readonly Task[])[] = [tasks];
  if (io.occurrences) {
    const clear = new TaskBuilder(), dTable = from(gradient, 0, embedded);
    clear.call("clear", { dst: dTable, n: embedded });
    tasks.push(clear.calls);
    main.push(scatterTasks(config, io, dTable, parallel ? SCATTER_TASKS : 1));
  }
  if (backward) {
    const step = request.purpose === "step", target = step ? network.gradients : gradient;
    const ranges = network.ranges(target), sum: Task[] = [], apply: Task[] = [];
    for (const range of ranges) {
      const task = new TaskBuilder(), { start, gradients: grads, n, squares, control } = range;
      const fresh = from(gradient, start, n);
      if (parts && start >= embedded) {
        const first = from(parts, start - embedded);
        task.call("sumBlocks", { grads: fresh, blocks: first, n, count: blocks, stride: partSize });
      }
      if (accumulate) task.call("averageGradients", { grads, fresh, control, n });
      if (step) task.call("sumSquares", { sum: squares, grads, n });
      if (task.calls.length) sum.push(task.calls);
      if (!update) continue;
      const next = new TaskBuilder();
      update(next, range);
      apply.push(next.calls);
    }
    const norm = new TaskBuilder();
    norm.call("gradientNorm", { norm: network.norm, sums: network.squares, n: ranges.length });
    if (sum.length) main.push(sum);
    if (step) main.push([norm.calls]);
    if (update) main.push(apply);
  }
  const packs = [...network.packForward(), ...backward ? network.packBackward(io.dx !== null) : []];
  const tasksOf = (builders: TaskBuilder[]): Task[] => builders.map(({ calls }) => calls);
  // One task where threads do not share it: each costs a call.
  const pack = [parallel ? tasksOf(packs) : [tasksOf(packs).flat()]];
  // The first block has most rows.
  return { io, blocks, pack, main, parallel, arena, scratch: each[0]!.scratch, programs: [pack, main] };
}
