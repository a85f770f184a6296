/** Plans: what a batch of a certain shape needs of memory, and the programs over it. */

import { Arena, from } from "../device/arena.ts";
import { type Plan, type Program, type Task, TaskBuilder } from "../device/device.ts";
import { LANES, type Tensor } from "../device/kernels.ts";
import { MOST_GROUPS, MOST_STEPS } from "../device/live.ts";
import { blockRows, BlockSpace, type IoTensors } from "./block.ts";
import { type DropoutMode, groupsOf, type Values } from "./layers/layer.ts";
import { dimensions, layerOf, type Node, portOf, type Shape, type Sizes, stepsAlong } from "./layers/node.ts";
import { type LossName, targetWidth } from "./losses.ts";
import { LossPass, type OutputLoss, predictions } from "./outputs.ts";
import type { PlacedNetwork } from "./placed_network.ts";
import {
  blockBounds,
  layOutShare,
  type PerBlock,
  type Share,
  type Sharers,
  shareSteps,
  type Transfer,
} from "./share.ts";
import { occurrencesLength, scatterTasks } from "./tokens.ts";
import { update, type UpdateSpec } from "./update.ts";

/** What is the same for many batches. Plain data, made once and shared: its text is kept with it. */
export interface PlanTask {
  /** "forward": values; "predict": predictions and values; "evaluate": losses only; "gradients"; "step": train. */
  readonly purpose: "forward" | "predict" | "evaluate" | "gradients" | "step";
  /** Values to be read afterwards: "layer.port". */
  readonly values?: readonly string[];
  /** What predictions of each output are made with. For "predict". */
  readonly activations?: Readonly<Record<string, LossName>>;
  /** For all but "forward" and "predict". */
  readonly losses?: readonly OutputLoss[];
  /** Default "none". */
  readonly dropout?: DropoutMode;
  /** For "step": what is done to the parameters. Absent: the gradient waits for a later step. */
  readonly update?: UpdateSpec;
  /** For "step": whether the gradient is averaged with what waits of steps before. Default false. */
  readonly accumulate?: boolean;
}

/** What a plan is for: plain data, which is its key in the cache. */
export interface PlanShape {
  /** Sequences in the batch. */
  readonly B: number;
  /** Steps of the longest. */
  readonly T: number;
  /** Steps along other time axes. */
  readonly axes?: Sizes["axes"];
  /** What is given besides the inputs: "gru.h0", "dropout.mask". */
  readonly given?: readonly string[];
  readonly task: PlanTask;
}

/** A number for each task that is another as data; and those that are known already. */
const numbers = new Map<string, number>(), known = new WeakMap<PlanTask, number>();

/** The key of a plan in a cache: all of its shape. Equal tasks have one number, others another. */
export function planKey({ B, T, axes, given, task }: PlanShape): string {
  let number = known.get(task);
  if (number === undefined) {
    const text = JSON.stringify(task);
    number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    known.set(task, number);
  }
  const others = axes && Object.keys(axes).length ? JSON.stringify(axes) : "";
  return `${number} ${B} ${T}${others}${given?.length ? ` ${given}` : ""}`;
}

/** What a plan depends on besides its shape: the same for all of a model's plans. */
export interface PlanOptions {
  /** Fewest blocks that are worth several threads. */
  readonly parallelFrom: number;
  /** Whether a batch stays one block. Default false. */
  readonly wholeBatch?: boolean;
  /** Who shares the blocks of a step's batch. Default: nobody. */
  readonly sharers?: Sharers;
}

/** A plan with its tensors and programs by name. */
export interface ModelPlan extends Plan {
  readonly io: IoTensors;
  /** Of `io`, what each loss is computed from. */
  readonly lossIo: readonly LossIo[];
  /** Number of blocks the batch is cut into. */
  readonly blocks: number;
  /** Brings the packed weights up to date: what forward reads, and what backward reads besides. */
  readonly pack: Program;
  /** From inputs to results. */
  readonly main: Program;
  /** In place of `main`, where other processes compute blocks too: programs, and what is exchanged between them. */
  readonly shared?: readonly (Program | Transfer)[];
  /** Where the blocks of each process begin. */
  readonly bounds: readonly number[];
}

/** What a loss is computed from; absent is what it does not need. */
export interface LossIo {
  readonly targets?: Tensor;
  readonly weights?: Tensor;
  readonly outputWeights?: Tensor;
  readonly constants?: Tensor;
  readonly gradient?: Tensor;
}

/** Tasks that an embedding's gradient is cut into where threads share it. */
const SCATTER_TASKS = 16;

/** Where everything of a plan goes. */
export interface Layout {
  readonly net: PlacedNetwork;
  readonly shape: PlanShape;
  readonly wholeBatch: boolean;
  readonly io: IoTensors;
  /** Elements of the arena. */
  readonly arena: number;
  /** Sequences of a block, and how many blocks there are. */
  readonly R: number;
  readonly blocks: number;
  readonly backward: boolean;
  /** This batch's gradient. */
  readonly gradient: Tensor;
  /** The gradients of the blocks, each of partSize elements: all but the tables'. */
  readonly parts: Tensor | null;
  readonly partSize: number;
  /** The blocks that this process computes, and what it exchanges with others. */
  readonly first: number;
  readonly end: number;
  readonly share?: Share;
}

/** The blocks of one of several processes. */
function rangeOf(blocks: number, { rank, size }: Sharers): readonly [number, number] {
  const bounds = blockBounds(blocks, size);
  return [bounds[rank]!, bounds[rank + 1]!];
}

/** The gradients of embedded tokens, which all processes add up: those of the rows before a block. */
function perRow({ io, shape, R }: Layout, { name, axis, outputs: { output } }: Node): PerBlock {
  const row = stepsAlong(axis, shape) * output!.size;
  return { tensor: io.get(`${name}.grad`)!, before: (block) => Math.min(shape.B, block * R) * row };
}

/** Lays out the memory for a plan. */
export function layOut(
  net: PlacedNetwork,
  shape: PlanShape,
  { wholeBatch = false, sharers }: Omit<PlanOptions, "parallelFrom"> = {},
): Layout {
  const { B, T, given = [], task } = shape, { purpose, values = [], activations = {}, losses = [] } = task;
  const { store, resolved: { layout: { tables } } } = net, arena = new Arena(store.persistent);
  const backward = purpose === "gradients" || purpose === "step", all = purpose === "gradients";
  const R = wholeBatch ? B : blockRows(net.work, B, T), blocks = Math.ceil(B / R);
  const io = new Map<string, Tensor>();
  const add = (name: string, ...shape: readonly number[]) => io.set(name, arena.allocate(...shape));
  const value = (name: string, of: Shape) => add(name, ...dimensions(of, shape));
  for (const { name, outputs } of net.inputs) value(name, outputs.output!);
  add("@lengths", B);
  for (const axis of Object.keys(shape.axes ?? {})) add(`@lengths.${axis}`, B);
  for (const name of given) value(name, net.given.get(name)!.shape);
  for (const { output, loss, settings, weighted, outputWeighted } of losses) {
    const { size: O, kind, axis } = net.resolved.outputs[output]!.shape;
    const rows = kind === "steps" ? B * stepsAlong(axis, shape) : B;
    if (!loss) {
      add(`@${output}.gradient`, rows * O);
      continue;
    }
    add(`@${output}.targets`, rows * targetWidth(loss, O, settings));
    if (weighted) add(`@${output}.weights`, kind === "steps" ? rows : groupsOf(B) * LANES);
    if (outputWeighted) add(`@${output}.outputWeights`, O);
    if (settings.quantiles) add(`@${output}.constants`, settings.quantiles.length);
  }
  for (const source of values) value(source, net.shapeOf(source));
  for (const output of Object.keys(activations)) {
    value(`@${output}.prediction`, net.resolved.outputs[output]!.shape);
  }
  if (losses.length) add("@stats", 2 * blocks * losses.length);
  if (all) {
    for (const { name, outputs: { output } } of net.inputs) {
      if (output!.kind !== "tokens") value(`${name}.grad`, output!);
    }
    for (const { name, shape: own } of net.given.values()) {
      if (own.kind === "states") value(`${name}.grad`, own);
    }
  }
  if (backward) {
    for (const { name, axis, inputs, outputs: { output } } of net.embeddings) {
      value(`${name}.grad`, output!);
      add(`${name}.occurrences`, occurrencesLength(inputs.input!.size, B, stepsAlong(axis, shape)));
    }
  }
  if (all) add("@gradients", store.paddedSize);
  // A step's gradient goes where the update reads it, unless that of other batches is there.
  const gradient = io.get("@gradients") ?? (task.accumulate ? arena.allocate(store.paddedSize) : store.gradients);
  const partSize = store.paddedSize - tables, isShared = purpose === "step" && sharers !== undefined;
  const [first, end] = isShared ? rangeOf(blocks, sharers) : [0, blocks];
  const parts = backward && (blocks > 1 || isShared) ? arena.allocate((end - first) * partSize) : null;
  const share = isShared ? layOutShare(sharers, blocks, partSize, arena) : undefined;
  const place = { parts, partSize, first, end, ...share && { share } };
  return { net, shape, wholeBatch, io, arena: arena.length, R, blocks, backward, gradient, ...place };
}

/** Whether a batch has a second time axis, as decoders do, and not too much along any to follow where rows end. */
function looksForEnds({ T, axes = {} }: PlanShape, R: number): boolean {
  const steps = Object.values(axes);
  return steps.length === 1 && Math.max(T, ...steps) <= MOST_STEPS && groupsOf(R) <= MOST_GROUPS;
}

/** The forward, loss and backward pass of one block. */
export function blockTask(layout: Layout, index: number): { calls: Task; scratch: number } {
  const { net, shape: { B, T, axes, task: { dropout = "none", activations, losses = [] } }, io, R, backward } = layout;
  const { gradient, parts, partSize, blocks, wholeBatch, first } = layout, { store, resolved } = net;
  const { paddedSize, layout: { tables, size } } = store;
  const block = new BlockSpace({
    B,
    T,
    axes,
    row0: index * R,
    rows: Math.min(R, B - index * R),
    wholeBatch,
    backward,
    dropout,
    control: store.control,
    gradient: parts ? from(parts, (index - first) * partSize - tables, paddedSize) : gradient,
    io,
    ends: !wholeBatch && looksForEnds(layout.shape, R),
  });
  const values: Record<string, Values> = {};
  const valueOf = (source: string) => values[layerOf(source)]![portOf(source)]!;
  const passes = resolved.nodes.map(({ name, sources, axis }, i) => {
    const inputs = Object.fromEntries(Object.entries(sources).map(([port, source]) => [port, valueOf(source)]));
    const pass = net.layers[i]!.over(block.along(axis), inputs);
    values[name] = pass.outputs;
    return { name, pass };
  });
  const task = new TaskBuilder();
  block.begin(task);
  for (const { name, pass } of passes) {
    pass.forward(task);
    for (const [port, value] of Object.entries(pass.outputs)) block.publish(task, `${name}.${port}`, value);
  }
  if (activations) {
    for (const [output, loss] of Object.entries(activations)) {
      const value = valueOf(resolved.outputs[output]!.source);
      predictions(task, block.along(value.shape.axis), output, value, loss);
    }
  }
  losses.forEach((loss, l) => {
    const stats = from(io.get("@stats")!, 2 * (l * blocks + index));
    const value = valueOf(resolved.outputs[loss.output]!.source);
    new LossPass(block.along(value.shape.axis), loss, value, stats).call(task);
  });
  if (backward) {
    if (paddedSize > size) task.call("clear", { dst: from(block.gradient, size), n: paddedSize - size });
    for (const { pass } of passes.toReversed()) {
      for (const { gradient } of Object.values(pass.outputs)) {
        // What no loss depends on.
        if (gradient && !gradient.written) {
          task.call("clear", { dst: gradient.into, n: gradient.into.length });
          gradient.claim();
        }
      }
      pass.backward(task);
    }
  }
  return { calls: task.calls, scratch: block.scratch.length };
}

/** Writes the programs for a plan. */
export function makePlan(net: PlacedNetwork, shape: PlanShape, options: PlanOptions): ModelPlan {
  const layout = layOut(net, shape, options),
    { io, blocks, arena, backward, gradient, parts, partSize, share } = layout;
  const { store, resolved: { layout: { tables } } } = net, { purpose, update: spec, accumulate = false } = shape.task;
  const { first, end } = layout, parallel = end - first >= options.parallelFrom;
  const each = Array.from({ length: end - first }, (_, i) => blockTask(layout, first + i));
  const tasks = each.map(({ calls }) => calls), main: (readonly Task[])[] = share ? [] : [tasks];
  if (backward && tables) {
    const clear = new TaskBuilder(), count = parallel ? SCATTER_TASKS : 1;
    clear.call("clear", { dst: from(gradient, 0, tables), n: tables });
    tasks.push(clear.calls);
    main.push(
      net.embeddings.flatMap((node) =>
        scatterTasks(node, store, io, { B: shape.B, T: stepsAlong(node.axis, shape) }, gradient, count)
      ),
    );
  }
  if (backward) {
    const step = purpose === "step", target = step ? store.gradients : gradient;
    const ranges = store.ranges(target), sum: Task[] = [], apply: Task[] = [];
    for (const range of ranges) {
      const task = new TaskBuilder(), { start, gradients: grads, n, squares, control } = range;
      const fresh = from(gradient, start, n);
      if (parts && !share && start >= tables) {
        const first = from(parts, start - tables);
        task.call("sumBlocks", { grads: fresh, blocks: first, n, count: blocks, stride: partSize });
      }
      if (accumulate) task.call("averageGradients", { grads, fresh, control, n });
      if (step) task.call("sumSquares", { sum: squares, grads, n });
      if (task.calls.length) sum.push(task.calls);
      if (!spec) continue;
      const next = new TaskBuilder();
      update(next, range, spec);
      apply.push(next.calls);
    }
    const norm = new TaskBuilder();
    norm.call("gradientNorm", { norm: store.norm, sums: store.squares, n: ranges.length });
    if (sum.length) main.push(sum);
    if (step) main.push([norm.calls]);
    if (spec) main.push(apply);
  }
  const packs = [
    ...store.packForward(),
    ...backward ? store.packBackward(net.differentiable(purpose === "gradients")) : [],
  ];
  const tasksOf = (builders: TaskBuilder[]): Task[] => builders.map(({ calls }) => calls);
  // One task where threads do not share it: each costs a call.
  const pack = [parallel ? tasksOf(packs) : [tasksOf(packs).flat()]];
  // The first block has most rows.
  const { losses = [] } = shape.task,
    lossIo = losses.map(({ output }): LossIo => {
      const names = ["targets", "weights", "outputWeights", "constants", "gradient"];
      return Object.fromEntries(names.map((name) => [name, io.get(`@${output}.${name}`)]));
    });
  const plan = { io, lossIo, blocks, pack, main, parallel, arena, scratch: each[0]?.scratch ?? 0 };
  if (!share) return { ...plan, bounds: [0, blocks], programs: [pack, main] };
  const rows = net.embeddings.map((node) => perRow(layout, node));
  const summed = { parts, stride: partSize, gradient: from(gradient, tables, partSize), rows };
  const shared = [...shareSteps(share, [tasks], summed), main];
  return { ...plan, shared, bounds: share.blocks, programs: [pack, ...shared.filter((step) => Array.isArray(step))] };
}
