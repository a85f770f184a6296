import type { Device } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import type { Simd } from "../device/device.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { fail } from "../errors.ts";
import { type NamedArray, type StateDict, toStateDict } from "./arrays.ts";
import { checkBatch, type CheckedBatch, checkTargets, type RowWeights, type Sequences, type Targets } from "./batch.ts";
import { clearBlock, initialize, readBlock, viewBlock, writeBlock } from "./parameter_blocks.ts";
import type { DropoutMode } from "./layers/layer.ts";
import { type Sizes, stepsAlong } from "./layers/node.ts";
import type { ResolvedLoss } from "./losses.ts";
import { checkMemory, type Holder } from "./memory.ts";
import type { Parameter } from "./parameters.ts";
import type { PlacedNetwork } from "./placed_network.ts";
import { layOut, makePlan, type ModelPlan, planKey, type PlanShape, type PlanTask } from "./plan.ts";
import { runShared } from "./shared_run.ts";
import { Tokens } from "./tokens.ts";

/** What a run is for, the same for many batches. Made once: plans are found by it. */
export interface RunTask extends Pick<PlanTask, "purpose" | "values" | "activations" | "update"> {
  /** By output. */
  readonly losses?: readonly TaskLoss[];
}

/** The loss of an output, and what it counts among several. */
export interface TaskLoss {
  readonly output: string;
  /** null: its gradient comes from outside. */
  readonly loss: ResolvedLoss | null;
  readonly weight?: number;
}

/** What may differ from batch to batch. */
export interface RunOptions {
  /** By output. */
  readonly targets?: Readonly<Record<string, Targets>>;
  /** How much each sequence counts (B). */
  readonly weights?: Float32Array;
  /** The gradient of each output that has no loss. */
  readonly outputGradients?: Readonly<Record<string, Float32Array>>;
  /** Dropout masks by "layer.mask"; under "" that of the first dropout layer. */
  readonly masks?: Readonly<Record<string, Float32Array>>;
  /** Whether dropout draws at random, where no masks are given. */
  readonly random?: boolean;
  readonly accumulate?: boolean;
  /** Default: as the task says. */
  readonly update?: boolean;
  /** The control words, given the sum of the rows' weights. */
  readonly control?: (weight: number) => Uint32Array;
}

/** What a run leaves: the plan with its tensors, and the sum of the rows' weights. */
export interface Run {
  readonly plan: ModelPlan;
  readonly weight: number;
}

/** What a plan's losses came to. */
export interface Stats {
  /** Their sum, each times what it counts. */
  readonly loss: number;
  /** Each by itself, in the order of the task. */
  readonly losses: readonly number[];
  /** Right rows of the first. */
  readonly correct: number;
  /** After a "step": the norm of the gradient. */
  readonly gradNorm: number;
}

/** Rows that count differently, whatever they count. */
const WEIGHTED: Partial<RowWeights> = { rows: new Float32Array(0) };

/** Blocks from which "auto" takes several threads: starting them takes longer than the whole training of a small model. */
const AUTO_BLOCKS = 4;

/** Plans kept at a time, for the batches of different sizes that come in turn. */
const MAX_PLANS = 64;

/**
 * A network on a device: its parameters, its plans, the optimizer's state, and one operation at a time. It knows nothing
 * of what training is.
 */
export class Session {
  readonly net: PlacedNetwork;
  readonly seed: number;
  /** The instructions and the threads it was made with. */
  readonly simd: Simd;
  readonly threads: number | "auto";
  readonly device: Device;
  /** Who takes part in its steps. */
  readonly fleet: Fleet;
  /** Whether this process wants training to stop, and whether one of all did when they made the last step. */
  stops = false;
  toStop = false;
  readonly #holder: Holder;
  readonly #plans = new Map<string, ModelPlan>();
  readonly #tasks = new WeakMap<RunTask, Map<number, PlanTask>>();
  readonly #tokens: readonly Tokens[];
  #loaded: ModelPlan | undefined;
  /** What the packed weights lag behind: the version of the parameters they were made from. */
  #version = 1;
  #packed = { forward: 0, backward: 0, inputs: 0 };
  #owner: unknown;
  /** Whether the optimizer state is zeros still, as the device's memory was: a model that is not trained takes none. */
  #isStateless = true;
  #disposed = false;
  /** What the last operation asked for ends with. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    net: PlacedNetwork,
    seed: number,
    { device, simd, threads, fleet, isBlank }: Pick<Session, "device" | "simd" | "threads" | "fleet"> & {
      /** Whether its parameters are 0, because they are loaded next. */
      readonly isBlank?: boolean;
    },
  ) {
    this.net = net;
    this.seed = seed;
    this.simd = simd;
    this.threads = threads;
    this.device = device;
    this.fleet = fleet;
    const { room, wholeBatch } = device, { rank, size } = fleet;
    this.#holder = { room, wholeBatch, ...size > 1 && { sharers: { rank, size } } };
    this.#tokens = net.tokenReaders.map((node) => new Tokens(node));
    checkMemory(net, undefined, this.#holder);
    // Places the parameters before there is anything to run.
    device.load({ arena: net.store.persistent, scratch: 0, parallel: false, programs: [] }, 0);
    if (!isBlank) initialize(device, net.store.values, this.parameters, seed);
  }

  get parameters(): readonly Parameter[] {
    return this.net.resolved.layout.list;
  }

  /** Runs an operation when those before it have ended: they share the memory, and none may see another's numbers. */
  exclusive<T>(operation: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => {
      this.check();
      return operation();
    });
    this.#last = result.catch(() => {});
    return result;
  }

  /** Refuses what is asked of a model that is gone. */
  check(): void {
    if (this.#disposed) throw fail("disposed", "use model", "it was disposed");
  }

  dispose(): void {
    this.#disposed = true;
    this.#plans.clear();
    this.device.dispose();
  }

  /** Runs a plan over a batch; its results are in the plan's tensors. To be called within `exclusive`. */
  async run(sequences: Sequences, task: RunTask, options: RunOptions = {}): Promise<Run> {
    const { masks, random, accumulate, update = task.update !== undefined } = options;
    const { sizes, lengthsAlong, inputs, given } = checkBatch(this.net, sequences, masks), { B } = sizes;
    const rows = this.#checkLosses(sizes, lengthsAlong, task, options);
    const dropout: DropoutMode = masks ? "given" : random ? "random" : "none";
    const full = this.#planTask(task, rows, dropout, accumulate ?? false, update);
    const plan = this.#plan({ ...sizes, given: given ? Object.keys(given) : undefined, task: full }), { io } = plan;
    const { device } = this;
    for (const [name, data] of inputs) device.write(io.get(name)!, data);
    for (const tokens of this.#tokens) {
      const wanted = io.get(tokens.name), data = inputs.find(([name]) => name === tokens.input)![1] as Int32Array;
      const lengths = lengthsAlong(tokens.axis), T = stepsAlong(tokens.axis, sizes);
      tokens.check(data, lengths, [B, T]);
      if (wanted) device.write(wanted, tokens.occurrences(data, lengths, [B, T]));
    }
    for (const axis of [undefined, ...this.net.axes]) {
      const lengths = lengthsAlong(axis) ?? new Int32Array(B).fill(stepsAlong(axis, sizes));
      device.write(io.get(axis === undefined ? "@lengths" : `@lengths.${axis}`)!, lengths);
    }
    if (given) { for (const name in given) device.write(io.get(name)!, given[name]!); }
    if (task.losses) this.#writeLosses(plan, task.losses, rows, options);
    const weight = rows.length ? rows[0]!.weight : B;
    if (options.control) device.write(this.net.store.control, options.control(weight));
    const packing = this.#refresh(plan, task.purpose);
    if (packing) await packing;
    this.#isStateless &&= !full.update;
    if (plan.shared) this.toStop = await runShared(plan, this);
    else await device.run(plan.main);
    if (full.update) this.#version++;
    return { plan, weight };
  }

  /** What losses are computed from. */
  #writeLosses(
    { lossIo }: ModelPlan,
    losses: readonly TaskLoss[],
    rows: readonly RowWeights[],
    { targets, outputGradients }: RunOptions,
  ): void {
    const { device } = this;
    for (let i = 0; i < losses.length; i++) {
      const { output, loss } = losses[i]!, io = lossIo[i]!, weights = rows[i]!.rows;
      if (!loss) {
        device.write(io.gradient!, outputGradients![output]!);
        continue;
      }
      device.write(io.targets!, targets![output]!);
      if (weights) device.write(io.weights!, weights);
      if (io.outputWeights) device.write(io.outputWeights, Float32Array.from(loss.posWeight ?? loss.classWeights!));
      if (io.constants) device.write(io.constants, Float32Array.from(loss.settings.quantiles!));
    }
  }

  /** Brings the packed weights that a purpose reads up to date with the parameters. */
  #refresh(plan: ModelPlan, purpose: PlanTask["purpose"]): void | Promise<void> {
    const version = this.#version, packed = this.#packed, backward = purpose === "gradients" || purpose === "step";
    const inputs = purpose === "gradients";
    const fresh = packed.forward === version && (!backward || packed.backward === version) &&
      (!inputs || packed.inputs === version);
    if (fresh) return;
    const mark = () => {
      packed.forward = version;
      if (backward) packed.backward = version;
      if (inputs) packed.inputs = version;
    };
    const running = this.device.run(plan.pack);
    return running ? running.then(mark) : mark();
  }

  #checkLosses(
    sizes: Sizes,
    lengthsAlong: CheckedBatch["lengthsAlong"],
    { losses = [] }: RunTask,
    { targets, weights, accumulate }: RunOptions,
  ): RowWeights[] {
    const all = losses.map(({ output, loss }): RowWeights => {
      if (!loss) return { weight: sizes.B };
      const { shape } = this.net.resolved.outputs[output]!, T = stepsAlong(shape.axis, sizes);
      return checkTargets({ loss, targets: targets?.[output], weights }, shape, [sizes.B, T], lengthsAlong(shape.axis));
    });
    if (accumulate && all.some(({ weight }) => weight !== all[0]!.weight)) {
      const advice = "update after every batch";
      throw fail("batch-value", "run model", "the losses' rows count differently, so batches cannot be accumulated", {
        name: "update",
        advice,
      });
    }
    return all;
  }

  /** A task as plans know it. The same one each time, for plans are found by it. */
  #planTask(
    task: RunTask,
    rows: readonly Partial<RowWeights>[],
    dropout: DropoutMode,
    accumulate: boolean,
    update: boolean,
  ): PlanTask {
    let variants = this.#tasks.get(task);
    if (!variants) this.#tasks.set(task, variants = new Map());
    let key = (dropout === "none" ? 0 : dropout === "random" ? 1 : 2) * 4 + Number(accumulate) * 2 + Number(update);
    for (let i = 0; i < rows.length; i++) key = 2 * key + Number(rows[i]!.rows !== undefined);
    let full = variants.get(key);
    if (!full) {
      const losses = task.losses?.map(({ output, loss, weight }, i) => ({
        output,
        loss: loss?.loss ?? null,
        settings: loss?.settings ?? {},
        weight,
        weighted: rows[i]!.rows !== undefined,
        outputWeighted:
          (loss?.posWeight ?? (loss?.settings.labelSmoothing ? loss.classWeights : undefined)) !== undefined,
      }));
      const { purpose, values, activations } = task;
      full = { purpose, values, activations, losses, dropout, update: update ? task.update : undefined, accumulate };
      variants.set(key, full);
    }
    return full;
  }

  #plan(shape: PlanShape): ModelPlan {
    const key = planKey(shape);
    let plan = this.#plans.get(key);
    if (!plan) {
      if (this.#plans.size >= MAX_PLANS) this.#plans.delete(this.#plans.keys().next().value!);
      const holder = this.#holder, { room } = holder;
      // What is too large by its inputs alone is not written out first.
      if (layOut(this.net, shape, holder).arena > room.elements) checkMemory(this.net, shape, holder);
      plan = makePlan(this.net, shape, { parallelFrom: this.threads === "auto" ? AUTO_BLOCKS : 2, ...holder });
      if (plan.arena + plan.scratch > room.elements) checkMemory(this.net, shape, holder);
      this.#plans.set(key, plan);
    }
    if (plan !== this.#loaded) {
      this.device.load(plan, this.net.store.persistent);
      this.#loaded = plan;
    }
    return plan;
  }

  /**
   * Refuses batches of these sizes that would not fit, before anything is computed.
   *
   * @throws {RangeError} With what takes how much.
   */
  checkFits(sizes: Sizes, task: RunTask, accumulate = false): void {
    const rows = (task.losses ?? []).map(() => WEIGHTED), dropout = task.purpose === "step" ? "random" : "none";
    const full = this.#planTask(task, rows, dropout, accumulate, task.update !== undefined);
    checkMemory(this.net, { ...sizes, task: full }, this.#holder);
  }

  /**
   * Of the plan that ran last: what its losses came to. What is returned fetches them, and is best called late: see
   * `Device.keep`.
   */
  stats({ io, blocks }: ModelPlan): () => Promise<Stats> {
    const fetch = this.device.keep([io.get("@stats")!, this.net.store.norm]);
    return async () => {
      const [sums, norm] = await fetch();
      const losses: number[] = [];
      let loss = 0, correct = 0;
      for (let i = 0; i < sums!.length; i += 2) {
        const l = Math.floor(i / 2 / blocks);
        losses[l] = (losses[l] ?? 0) + sums![i]!;
        loss += sums![i]!;
        if (l === 0) correct += sums![i + 1]!;
      }
      return { loss, losses, correct, gradNorm: norm![0]! };
    };
  }

  /** Values that a plan left, by name. */
  async values({ io }: ModelPlan, names: readonly string[]): Promise<StateDict> {
    const arrays = names.map(async (name) => [name, await this.array(io.get(name)!)] as const);
    return Object.fromEntries(await Promise.all(arrays));
  }

  /** A copy of a tensor, with its shape. */
  async array(tensor: Tensor): Promise<NamedArray> {
    return { shape: tensor.shape, data: await this.device.read(tensor) };
  }

  /** All parameters in one block: themselves, where the device can show them, until another batch is run. */
  async showValues(): Promise<Float32Array> {
    return this.device.view?.(this.net.store.values) ?? await this.readValues();
  }

  /** A copy of all parameters in one block. */
  readValues(): Promise<Float32Array<ArrayBuffer>> {
    return this.device.read(this.net.store.values);
  }

  /** A block of all parameters by name. */
  named(block: Float32Array<ArrayBuffer>): StateDict {
    return toStateDict(this.parameters, block);
  }

  /** A copy of all parameters by name. */
  readParameters(): Promise<StateDict> {
    return readBlock(this.device, this.net.store.values, this.parameters);
  }

  /** The parameters and some slots by name, not copied: for use within `exclusive`, where the device has a `view`. */
  show(slots: number): StateDict[] {
    const { values, slots: all } = this.net.store;
    return [values, ...all.slice(0, slots)].map((block) => viewBlock(this.device, block, this.parameters));
  }

  /** Takes over parameters. */
  writeValues(dict: StateDict): void {
    writeBlock(this.device, this.net.store.values, this.parameters, dict, "load state dict");
    this.#version++;
  }

  /** Takes possession of the optimizer state, cleared. A trainer made later ends the earlier one's. */
  claim(owner: unknown): void {
    this.check();
    this.#owner = owner;
    // deno-lint-ignore require-await -- an operation like others, in its turn
    this.exclusive(async () => {
      if (this.#isStateless) return;
      this.#isStateless = true;
      for (const slot of this.net.store.slots) clearBlock(this.device, slot);
    });
  }

  /** Whether `owner` claimed the optimizer state last. */
  owns(owner: unknown): boolean {
    return this.#owner === owner;
  }

  /** The optimizer state of one slot, by parameter name. */
  async readSlot(slot: number): Promise<StateDict> {
    return await readBlock(this.device, this.net.store.slots[slot]!, this.parameters);
  }

  /** The reverse of readSlot. */
  writeSlot(slot: number, dict: StateDict, what: string): void {
    this.#isStateless = false;
    writeBlock(this.device, this.net.store.slots[slot]!, this.parameters, dict, `load ${what}`);
  }
}
