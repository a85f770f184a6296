import { from } from "../device/arena.ts";
import type { Device } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import { fail } from "../errors.ts";
import { type OptionSpec, resolveOptions } from "../options.ts";
import { Random, seedWords } from "../random.ts";
import { MAX_THREADS } from "../device/threads.ts";
import { SIMD, type Simd, WasmDevice } from "../device/wasm.ts";
import { type FullConfig, type ModelConfig, type Parameter, parameterList, resolveConfig } from "./config.ts";
import { type DropoutMode, type LossName, type LossOptions, lossTerms } from "./head.ts";
import { checkMemory } from "./memory.ts";
import { GROUP, groupsOf, Network } from "./network.ts";
import { makePlan, type ModelPlan, type PlanRequest } from "./programs.ts";
import { Tokens } from "./tokens.ts";

/** Numbers with a shape, row-major. */
export interface NamedArray {
  /** Length of each dimension, the outermost first. */
  readonly shape: readonly number[];
  /** The numbers, as many as the product of `shape`. */
  readonly data: Float32Array<ArrayBuffer>;
}

/** A batch of sequences. */
export interface Sequences {
  /** Inputs (B, T, I), row-major; for a model with `numEmbeddings`, tokens (B, T). */
  readonly x: Float32Array | Int32Array;
  /** [B, T, I]; of tokens [B, T, 1]. */
  readonly shape: readonly [number, number, number] | readonly number[];
  /** Valid steps of each sequence (B), from 1 to T; what stands behind them never matters. Default: all T. */
  readonly lengths?: Int32Array;
  /** Initial states (layers·directions, B, H). Default: 0. */
  readonly h0?: Float32Array;
}

/** What a model computes from a batch. */
export interface Outputs {
  /** Scores before sigmoid or softmax (B, O). */
  readonly logits: NamedArray;
  /** How much each step counts (B, T); every row sums to 1, and is 0 behind a sequence's length. */
  readonly attentionWeights: NamedArray;
  /** The GRU's outputs weighted so (B, D), D = H·directions. */
  readonly context: NamedArray;
  /** The last layer's output at every step (B, T, D); 0 behind a sequence's length. */
  readonly output: NamedArray;
  /** The final states (layers·directions, B, H). */
  readonly hidden: NamedArray;
}

/** What {@linkcode Model.gradients} returns. */
export interface Gradients {
  /** The mean loss of the batch. */
  readonly loss: number;
  /** As {@linkcode Model.forward} gives. */
  readonly outputs: Outputs;
  /** The loss's gradient by every parameter, under its name. */
  readonly parameters: Record<string, NamedArray>;
  /** The loss's gradient by the inputs, or by the embedded tokens, (B, T, I) and by the initial states (layers·directions, B, H). */
  readonly inputs: { readonly x: NamedArray; readonly h0: NamedArray };
}

/** Options of {@linkcode Model.gradients}. */
export interface GradientOptions extends LossOptions {
  /** Multipliers (B, D) of the context to use as a dropout mask. */
  dropoutMask?: Float32Array;
  /** How much each sequence counts in the loss (B), from 0: 2 counts as two of it. Default: all 1. */
  weights?: Float32Array;
}

/** Parameters by PyTorch's names, as `state_dict()` gives them. */
export type StateDict = Record<string, NamedArray>;

/** Options of {@linkcode createModel}. */
export interface ModelOptions {
  /** Where the model computes: on the CPU, or on the GPU that WebGPU finds. Default "wasm". */
  device?: "wasm" | "webgpu";
  /**
   * Threads to compute on, 1 to 32: the result is the same bits for any number. Default "auto": as many as the machine
   * has cores, and only for batches that are worth it. Several threads leave the event loop free.
   */
  threads?: number | "auto";
  /**
   * Instructions to use. "plain": SIMD whose results are the same bits on every machine; "relaxed": with fused
   * multiply-add; "wide": relaxed, in tiles for V8 run with `--no-wasm-bounds-checks --experimental-wasm-revectorize`.
   * Default "auto": the fastest here.
   */
  simd?: Simd;
  /** Of the initial parameters and the dropout masks: a whole number from 0. Default 0. */
  seed?: number;
}

/** Where a model can compute. */
export type DeviceName = NonNullable<ModelOptions["device"]>;

/** The options of what a model computes on: types, defaults, ranges. */
export const DEVICE_OPTIONS: { readonly [Name in "device" | "threads" | "simd"]: OptionSpec } = {
  device: { type: "choice", default: "wasm", choices: ["wasm", "webgpu"], about: "where to compute" },
  threads: {
    type: "integer",
    default: "auto",
    words: ["auto"],
    least: 1,
    most: MAX_THREADS,
    about: "threads; auto: all cores where it is worth it",
  },
  simd: { type: "choice", default: "auto", choices: SIMD, about: "instructions" },
};

/** What is to be learnt: numbers (B, O), or class numbers (B). */
export type Targets = Float32Array | Int32Array;

/** A GRU with additive attention and a linear output. Made by {@linkcode createModel}. */
export interface Model extends Disposable {
  /** Its options, all filled in. */
  readonly config: Readonly<FullConfig>;
  /** The seed it was made with. */
  readonly seed: number;
  /** The parameters: names, shapes, and the bound of their initial values, in the order of PyTorch's state dict. */
  readonly parameters: readonly Parameter[];
  /**
   * What the model computes on, by name and in words; and what the bits of its results depend on: "plain" SIMD, which is the
   * same on every machine, "relaxed" SIMD or "webgpu"; and why it computes on one thread where several were wanted.
   */
  readonly device: {
    readonly name: string;
    readonly description: string;
    readonly arithmetic: string;
    readonly withoutThreads?: string;
  };
  /** The loss of the trainer made last for this model, if any: it says what the logits mean. */
  readonly loss: LossName | undefined;
  /**
   * What the model computes from a batch, in evaluation mode: no dropout.
   *
   * @param sequences Inputs (B, T, I), with lengths and initial states if wanted.
   * @throws {TypeError} If an array is missing or of the wrong kind.
   * @throws {RangeError} If an array does not fit its shape.
   */
  forward(sequences: Sequences): Promise<Outputs>;
  /**
   * The loss of a batch and its gradients, in evaluation mode but for `dropoutMask`: what `loss.backward()` computes.
   *
   * @param sequences Inputs (B, T, I).
   * @param targets (B, O) real numbers for "bce" and "mse", (B) class numbers as Int32Array for "crossEntropy".
   * @param options The loss with its weights, and multipliers of the context.
   * @throws {TypeError | RangeError} If the batch does not fit the model.
   */
  gradients(
    sequences: Sequences,
    targets: Targets,
    options: GradientOptions,
  ): Promise<Gradients>;
  /** A copy of all parameters, under PyTorch's names. */
  stateDict(): Promise<StateDict>;
  /**
   * Takes over parameters, such as those of a PyTorch model.
   *
   * @throws {TypeError} If a name is missing, unknown or no array, or a value is not a finite number.
   * @throws {RangeError} If a shape is another.
   */
  loadStateDict(dict: StateDict): Promise<void>;
  /** Frees the memory. The model cannot be used afterwards. */
  dispose(): void;
}

/** The class behind a model, for those that train and evaluate it. */
export function coreOf(model: Model): ModelCore {
  if (!(model instanceof ModelCore)) throw new TypeError("Cannot use model: it was not made by createModel");
  return model;
}

/** A model, and what the public face does not show: running plans and keeping optimizer state. */
class ModelCore implements Model {
  readonly config: FullConfig;
  readonly seed: number;
  readonly #network: Network;
  readonly #device: Device;
  readonly #plans = new Map<string, ModelPlan>();
  #loaded: ModelPlan | undefined;
  /** What the packed weights lag behind: the version of the parameters they were made from. */
  #version = 1;
  #packed = { forward: 0, backward: 0, inputs: 0 };
  readonly #tokens: Tokens | undefined;
  #owner: unknown;
  #trained: LossOptions | undefined;
  #disposed = false;
  /** What the last operation asked for ends with. */
  #last: Promise<unknown> = Promise.resolve();
  readonly #parallelFrom: number;
  /** The instructions it was made with. */
  readonly simd: Simd;

  constructor(config: FullConfig, seed: number, device: Device, simd: Simd, parallelFrom: number) {
    this.config = config;
    this.seed = seed;
    this.simd = simd;
    this.#parallelFrom = parallelFrom;
    this.#network = new Network(config);
    this.#device = device;
    checkMemory(this.#network, undefined, device.room);
    this.#tokens = config.numEmbeddings ? new Tokens(config) : undefined;
    const random = new Random(this.seed, "init");
    this.#reserve();
    const values = new Float32Array(this.#network.paddedSize);
    for (const { offset, length, bound, normal } of this.parameters) {
      for (let i = 0; i < length; i++) {
        values[offset + i] = (normal ? random.normal() : 2 * random.uniform() - 1) * bound;
      }
    }
    const { inputSize: E, paddingIdx } = config;
    if (paddingIdx !== undefined) values.fill(0, paddingIdx * E, (paddingIdx + 1) * E);
    this.#device.write(this.#network.values, values);
  }

  /** Most steps worth having under way at a time. */
  get stepsAhead(): number {
    return this.#device.stepsAhead;
  }

  /** Places the parameters before there is anything to run. */
  #reserve() {
    const programs: [] = [];
    this.#device.load({ arena: this.#network.persistent, scratch: 0, parallel: false, programs }, 0);
  }

  get parameters(): readonly Parameter[] {
    return this.#network.parameters;
  }

  get device(): Model["device"] {
    const { name, description, arithmetic, withoutThreads } = this.#device;
    return { name, description, arithmetic, ...withoutThreads && { withoutThreads } };
  }

  forward(sequences: Sequences): Promise<Outputs> {
    return this.exclusive(async () => {
      const { plan } = await this.run(sequences, { purpose: "forward" });
      return await this.#outputs(plan, sequences);
    });
  }

  gradients(
    sequences: Sequences,
    targets: Targets,
    options: GradientOptions,
  ): Promise<Gradients> {
    return this.exclusive(() => this.replay(sequences, targets, options));
  }

  /**
   * Probabilities (or values) and attention weights: see `predict`.
   */
  predict(
    sequences: Sequences,
    loss: LossName,
  ): Promise<{ probabilities: NamedArray; attentionWeights: NamedArray }> {
    return this.exclusive(async () => {
      checkLoss(loss);
      const { plan: { io } } = await this.run(sequences, { purpose: "predict", activation: loss });
      const [B, T] = sequences.shape as [number, number, number];
      const [probabilities, attentionWeights] = await Promise.all([
        this.#array(io.probabilities!, [B, this.config.outputSize]),
        this.#array(io.attentionWeights!, [B, T]),
      ]);
      return { probabilities, attentionWeights };
    });
  }

  get loss(): LossName | undefined {
    return this.#trained?.loss;
  }

  stateDict(): Promise<StateDict> {
    return this.exclusive(async () => this.#named(await this.#device.read(this.#network.values)));
  }

  loadStateDict(dict: StateDict): Promise<void> {
    // deno-lint-ignore require-await -- errors arrive as rejections
    return this.exclusive(async () => {
      this.#device.write(this.#network.values, this.#flatten(dict, "state dict"));
      this.#version++;
    });
  }

  dispose(): void {
    this.#disposed = true;
    this.#plans.clear();
    this.#device.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #check() {
    if (this.#disposed) throw new TypeError("Cannot use model: it was disposed");
  }

  #named(block: Float32Array<ArrayBuffer>): StateDict {
    return Object.fromEntries(
      this.parameters.map((
        { name, shape, offset, length },
      ) => [name, { shape, data: block.slice(offset, offset + length) }]),
    );
  }

  /** A dict of all parameters' names as one block. */
  #flatten(dict: StateDict, what: string): Float32Array<ArrayBuffer> {
    if (typeof dict !== "object" || dict === null) {
      throw fail("state-dict-mismatch", `load ${what}`, `it must be an object, got ${dict}`, { value: dict });
    }
    const known = new Set(this.parameters.map((p) => p.name));
    for (const name of Object.keys(dict)) {
      if (!known.has(name)) throw fail("state-dict-mismatch", `load ${what}`, `unknown parameter "${name}"`, { name });
    }
    const values = new Float32Array(this.#network.paddedSize);
    for (const { name, shape, offset, length } of this.parameters) {
      if (!Object.hasOwn(dict, name)) {
        throw fail("state-dict-mismatch", `load ${what}`, `missing parameter "${name}"`, { name });
      }
      const entry = dict[name]!;
      if (!Array.isArray(entry?.shape) || !ArrayBuffer.isView(entry.data)) {
        throw fail("state-dict-mismatch", `load ${what}`, `"${name}" must be { shape, data }`, { name });
      }
      if (
        entry.shape.length !== shape.length || entry.shape.some((n, i) => n !== shape[i]) ||
        entry.data.length !== length
      ) {
        throw fail(
          "state-dict-shape",
          `load ${what}`,
          `"${name}" must have shape [${shape}] and ${length} numbers, got [${entry.shape}] and ${entry.data.length}`,
          { name, value: entry.shape },
        );
      }
      const bad = entry.data.findIndex((value) => !Number.isFinite(value));
      if (bad >= 0) {
        throw fail("state-dict-mismatch", `load ${what}`, `"${name}" holds ${entry.data[bad]} at ${bad}`, {
          name,
          value: entry.data[bad],
        });
      }
      values.set(entry.data, offset);
    }
    return values;
  }

  async #array(tensor: Tensor, shape: number[]): Promise<NamedArray> {
    const length = shape.reduce((a, b) => a * b, 1);
    return { shape, data: await this.#device.read(from(tensor, 0, length)) };
  }

  async #outputs({ io }: ModelPlan, { shape }: Sequences): Promise<Outputs> {
    const [B, T] = shape as [number, number];
    const { config: { numLayers, hiddenSize: H, outputSize: O }, D, directions } = this.#network;
    const [logits, attentionWeights, context, output, hidden] = await Promise.all([
      this.#array(io.logits!, [B, O]),
      this.#array(io.attentionWeights!, [B, T]),
      this.#array(io.context!, [B, D]),
      this.#array(io.output!, [B, T, D]),
      this.#array(io.hidden!, [numLayers * directions, B, H]),
    ]);
    return { logits, attentionWeights, context, output, hidden };
  }

  // What follows is not part of the public face.

  /**
   * Runs an operation when those before it have ended: they share the memory, and none may see another's numbers.
   */
  exclusive<T>(operation: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => {
      this.#check();
      return operation();
    });
    this.#last = result.catch(() => {});
    return result;
  }

  /** The loss of the trainer made last, with its weights. */
  get trained(): LossOptions | undefined {
    return this.#trained;
  }

  /**
   * Runs a plan over a batch; its results stand in the plan's tensors. To be called within `exclusive`.
   *
   * @param request `control`: the control words, given the sum of the rows' weights.
   * @returns The plan, and that sum.
   */
  async run(
    sequences: Sequences,
    request: {
      purpose: PlanRequest["purpose"];
      activation?: LossName;
      targets?: Targets;
      weights?: Float32Array;
      dropoutMask?: Float32Array;
      random?: boolean;
      update?: PlanRequest["update"];
      accumulate?: boolean;
      control?: (weight: number) => Uint32Array;
    } & Partial<LossOptions>,
  ): Promise<{ plan: ModelPlan; weight: number }> {
    const [B, T] = this.#validate(sequences, request.loss, request.targets, request.dropoutMask);
    const { purpose, loss, activation, update, accumulate, classWeights, posWeight, targets } = request;
    if (loss) checkLossOptions("run model", { loss, classWeights, posWeight }, this.config.outputSize);
    const { weight, rows } = rowWeights(B, request.weights, classWeights && { classWeights, targets: targets! });
    const dropout: DropoutMode = request.dropoutMask ? "given" : request.random ? "random" : "none";
    const h0 = sequences.h0 !== undefined, weighted = rows !== undefined, posWeighted = posWeight !== undefined;
    const key = [purpose, B, T, h0, loss, weighted, posWeighted, activation, dropout, accumulate, update && "update"]
      .join(" ");
    let plan = this.#plans.get(key);
    if (!plan) {
      if (this.#plans.size >= MAX_PLANS) this.#plans.delete(this.#plans.keys().next().value!);
      const of = { h0, loss, weighted, posWeighted, activation, dropout, update, accumulate };
      plan = makePlan(this.#network, this.#fitting({ B, T, purpose, ...of }));
      this.#plans.set(key, plan);
    }
    this.#load(plan);
    const { io } = plan, device = this.#device;
    device.write(io.x, sequences.x);
    if (io.occurrences) {
      const tokens = sequences.x as Int32Array;
      device.write(io.occurrences, this.#tokens!.occurrences(tokens, sequences.lengths, [B, T]));
    }
    device.write(io.lengths, sequences.lengths ?? new Int32Array(B).fill(T));
    if (io.h0) device.write(io.h0, sequences.h0!);
    if (io.dropoutMask) device.write(io.dropoutMask, request.dropoutMask!);
    if (io.targets) device.write(io.targets, targets!);
    if (io.weights) device.write(io.weights, rows!);
    if (io.posWeight) device.write(io.posWeight, Float32Array.from(posWeight!));
    if (request.control) device.write(this.#network.control, request.control(weight));
    const wanted = {
      forward: true,
      backward: purpose === "gradients" || purpose === "step",
      inputs: io.dx !== null,
    };
    const stale = (Object.keys(wanted) as (keyof typeof wanted)[]).filter((part) =>
      wanted[part] && this.#packed[part] !== this.#version
    );
    if (stale.length) {
      await device.run(plan.pack);
      for (const part of stale) this.#packed[part] = this.#version;
    }
    await device.run(plan.main);
    if (update) this.#version++;
    return { plan, weight };
  }

  /**
   * What a step computes, and takes no step. To be called within `exclusive`.
   *
   * @param dropout Random dropout under control words, as in a step. Default: none.
   */
  async replay(
    sequences: Sequences,
    targets: Targets,
    options: GradientOptions,
    dropout: { random?: boolean; control?: (weight: number) => Uint32Array } = {},
  ): Promise<Gradients> {
    const { loss, dropoutMask, weights, classWeights, posWeight } = options;
    if (loss === undefined) {
      throw new TypeError(`Cannot run model: loss must be one of ${LOSSES.join(", ")}, got ${loss}`);
    }
    const terms = { loss, targets, weights, classWeights, posWeight };
    const { plan } = await this.run(sequences, { purpose: "gradients", ...terms, dropoutMask, ...dropout });
    const { config: { numLayers, hiddenSize: H, inputSize: I }, directions } = this.#network;
    const [B, T] = sequences.shape as [number, number];
    const [{ loss: value }, outputs, block, x, h0] = await Promise.all([
      this.stats(plan)(),
      this.#outputs(plan, sequences),
      this.#device.read(plan.io.gradients!),
      this.#array(plan.io.dx!, [B, T, I]),
      this.#array(plan.io.dh0!, [numLayers * directions, B, H]),
    ]);
    return { loss: value, outputs, parameters: this.#named(block), inputs: { x, h0 } };
  }

  /** A request for this device, refused if it does not fit. */
  #fitting(request: Omit<PlanRequest, "parallelFrom" | "wholeBatch">): PlanRequest {
    const full = { ...request, parallelFrom: this.#parallelFrom, wholeBatch: this.#device.wholeBatch };
    checkMemory(this.#network, full, this.#device.room);
    return full;
  }

  /**
   * Refuses batches of B sequences of T steps that would not fit, before anything is computed.
   *
   * @throws {RangeError} With what takes how much.
   */
  checkFits(
    [B, T]: readonly [B: number, T: number],
    request: Pick<PlanRequest, "purpose" | "loss" | "accumulate">,
  ): void {
    this.#fitting({
      ...request,
      B,
      T,
      h0: false,
      weighted: true,
      dropout: request.purpose === "step" ? "random" : "none",
    });
  }

  #load(plan: ModelPlan) {
    if (plan === this.#loaded) return;
    this.#device.load(plan, this.#network.persistent);
    this.#loaded = plan;
  }

  /**
   * Of the plan that ran last: the loss, the number of right rows, and after a "step" the norm of the gradient. What is
   * returned fetches them, and is best called late: see `Device.keep`.
   */
  stats(plan: ModelPlan): () => Promise<{ loss: number; correct: number; gradNorm: number }> {
    const fetch = this.#device.keep([plan.io.stats!, this.#network.norm]);
    return async () => {
      const [sums, norm] = await fetch();
      let loss = 0, correct = 0;
      for (let i = 0; i < sums!.length; i += 2) {
        loss += sums![i]!;
        correct += sums![i + 1]!;
      }
      return { loss, correct, gradNorm: norm![0]! };
    };
  }

  /**
   * Reads a tensor of the network.
   */
  read(pick: (network: Network) => Tensor): Promise<Float32Array<ArrayBuffer>> {
    return this.#device.read(pick(this.#network));
  }

  /**
   * Takes possession of the optimizer state, cleared. A trainer made later ends the earlier one's.
   */
  claim(owner: unknown, trained: LossOptions): void {
    this.#check();
    checkLossOptions("create trainer", trained, this.config.outputSize);
    this.#owner = owner;
    this.#trained = trained;
    // Plans of "step" hold the earlier owner's update.
    for (const key of this.#plans.keys()) if (key.startsWith("step ")) this.#plans.delete(key);
    // deno-lint-ignore require-await -- an operation like others, in its turn
    this.exclusive(async () => {
      for (const slot of this.#network.slots) this.#device.write(slot, new Float32Array(slot.length));
    });
  }

  /** Whether `owner` claimed the optimizer state last. */
  owns(owner: unknown): boolean {
    return this.#owner === owner;
  }

  /**
   * The optimizer state of one slot, by parameter name.
   */
  async readSlot(slot: number): Promise<StateDict> {
    return this.#named(await this.#device.read(this.#network.slots[slot]!));
  }

  /** The reverse of readSlot. */
  writeSlot(slot: number, dict: StateDict, what: string): void {
    this.#device.write(this.#network.slots[slot]!, this.#flatten(dict, what));
  }

  #validate(
    sequences: Sequences,
    loss: LossName | undefined,
    targets: Targets | undefined,
    dropoutMask: Float32Array | undefined,
  ): [number, number] {
    const { inputSize, outputSize, numLayers, hiddenSize } = this.config, { D, directions } = this.#network;
    const { x, shape, lengths, h0 } = sequences;
    const tokens = this.#tokens, width = tokens ? 1 : inputSize;
    if (!(tokens ? x instanceof Int32Array : x instanceof Float32Array)) {
      const wanted = tokens ? "an Int32Array of tokens" : "a Float32Array";
      throw new TypeError(`Cannot run model: x must be ${wanted}, got ${kind(x)}`);
    }
    if (!Array.isArray(shape) || shape.length !== 3) {
      throw new TypeError(`Cannot run model: shape must be [B, T, I], got ${shape}`);
    }
    const [B, T, I] = shape as [number, number, number];
    for (const n of shape) {
      if (!Number.isInteger(n) || n < 1) {
        throw new RangeError(`Cannot run model: shape must be whole numbers from 1, got [${shape}]`);
      }
    }
    if (I !== width) {
      const wanted = tokens ? "in 1, one token per step" : `in the inputSize ${inputSize}`;
      throw new RangeError(`Cannot run model: shape must end ${wanted}, got [${shape}]`);
    }
    length("x", x, B * T * width);
    if (lengths !== undefined) {
      if (!(lengths instanceof Int32Array)) {
        throw new TypeError(`Cannot run model: lengths must be an Int32Array, got ${kind(lengths)}`);
      }
      length("lengths", lengths, B);
      for (const n of lengths) {
        if (n < 1 || n > T) throw new RangeError(`Cannot run model: lengths must be from 1 to ${T}, got ${n}`);
      }
    }
    tokens?.check(x as Int32Array, lengths, [B, T]);
    if (h0 !== undefined) {
      if (!(h0 instanceof Float32Array)) {
        throw new TypeError(`Cannot run model: h0 must be a Float32Array, got ${kind(h0)}`);
      }
      length("h0", h0, numLayers * directions * B * hiddenSize);
    }
    if (dropoutMask !== undefined) {
      if (!(dropoutMask instanceof Float32Array)) {
        throw new TypeError(`Cannot run model: dropoutMask must be a Float32Array, got ${kind(dropoutMask)}`);
      }
      length("dropoutMask", dropoutMask, B * D);
    }
    if (loss === undefined) return [B, T];
    checkLoss(loss);
    const classes = loss === "crossEntropy";
    if (classes ? !(targets instanceof Int32Array) : !(targets instanceof Float32Array)) {
      throw new TypeError(
        `Cannot run model: targets of "${loss}" must be ${classes ? "an Int32Array" : "a Float32Array"}, got ${
          kind(targets)
        }`,
      );
    }
    length("targets", targets!, B * lossTerms(loss, outputSize).width);
    if (classes) {
      for (const n of targets!) {
        if (n < 0 || n >= outputSize) {
          throw new RangeError(`Cannot run model: targets must be classes from 0 to ${outputSize - 1}, got ${n}`);
        }
      }
    }
    return [B, T];
  }
}

/**
 * What each row of a batch counts: its own weight times that of its class.
 *
 * @returns The sum, and the rows' weights with a mean of 1, in whole groups; none where all count the same.
 */
function rowWeights(
  B: number,
  weights: Float32Array | undefined,
  classes: { classWeights: readonly number[]; targets: Targets } | undefined,
): { weight: number; rows?: Float32Array } {
  if (weights === undefined && !classes) return { weight: B };
  if (weights !== undefined) {
    if (!(weights instanceof Float32Array)) {
      throw new TypeError(`Cannot run model: weights must be a Float32Array, got ${kind(weights)}`);
    }
    length("weights", weights, B);
  }
  const rows = new Float32Array(groupsOf(B) * GROUP);
  let sum = 0;
  for (let i = 0; i < B; i++) {
    const own = weights ? weights[i]! : 1, weight = classes ? own * classes.classWeights[classes.targets[i]!]! : own;
    if (!(own >= 0 && own < Infinity)) {
      throw new RangeError(`Cannot run model: weights must be numbers from 0, got ${own} at ${i}`);
    }
    rows[i] = weight;
    sum += weight;
  }
  // A batch of nothing but weights of 0 has a loss of 0.
  if (sum > 0) { for (let i = 0; i < B; i++) rows[i]! *= B / sum; }
  return { weight: sum, rows };
}

/** Refuses weights that do not belong to the loss, or do not fit the outputs. */
function checkLossOptions(action: string, { loss, classWeights, posWeight }: LossOptions, outputs: number): void {
  const check = (name: string, of: LossName, weights: readonly number[] | undefined) => {
    if (weights === undefined) return;
    if (loss !== of) {
      throw fail("option-conflict", action, `${name} belongs to "${of}", got "${loss}"`, { option: name });
    }
    if (weights.length !== outputs) {
      throw fail(
        "shape-mismatch",
        action,
        `${name} must have ${outputs} numbers, one for each output, got ${weights.length}`,
        { name },
      );
    }
    const bad = weights.find((weight) => !(weight >= 0 && weight < Infinity));
    if (bad !== undefined) {
      throw fail("argument-out-of-range", action, `${name} must be numbers from 0, got ${bad}`, { name, value: bad });
    }
  };
  check("classWeights", "crossEntropy", classWeights);
  check("posWeight", "bce", posWeight);
}

/** The names of the losses. */
export const LOSSES: readonly LossName[] = ["bce", "crossEntropy", "mse"];

/** Refuses what is no loss. */
export function checkLoss(loss: LossName): void {
  if (!LOSSES.includes(loss)) {
    throw fail(
      "loss-unknown",
      "run model",
      `loss must be one of ${LOSSES.map((l) => `"${l}"`).join(", ")}, got "${loss}"`,
      { value: loss },
    );
  }
}

/** Blocks from which "auto" takes several threads: starting them takes longer than the whole training of a small model. */
const AUTO_BLOCKS = 4;

/** Plans kept at a time, for the batches of different sizes that come in turn. */
const MAX_PLANS = 64;

function length(name: string, array: ArrayLike<number>, expected: number): void {
  if (array.length !== expected) {
    throw new RangeError(`Cannot run model: ${name} must have ${expected} numbers, got ${array.length}`);
  }
}

function kind(value: unknown): string {
  return value === null || value === undefined ? String(value) : (value as object).constructor?.name ?? typeof value;
}

/**
 * Makes a model: a GRU, additive attention with its final state as the query, dropout, and a linear output.
 *
 * Initial values are PyTorch's: N(0, 1) for embeddings, uniform in ±1/√H for the GRU, in ±1/√inputs for the rest.
 *
 * @throws {TypeError} If an option is unknown or of the wrong type.
 * @throws {RangeError} If a number is out of range.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2, bidirectional: true }, { seed: 0 });
 * const { logits, attentionWeights } = await model.forward({ x: new Float32Array(4 * 7 * 5), shape: [4, 7, 5] });
 * assert.deepEqual([logits.shape, attentionWeights.shape], [[4, 2], [4, 7]]);
 * assert.deepEqual(model.parameters.at(-1)!.name, "fc.bias");
 * ```
 *
 * @example Tokens
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, predict } from "@grutto/grutto";
 *
 * const config = { numEmbeddings: 100, paddingIdx: 0, inputSize: 8, hiddenSize: 10, outputSize: 2 };
 * using model = await createModel(config);
 * const tokens = { x: Int32Array.of(5, 17, 99, 4, 0, 0), shape: [2, 3, 1], lengths: Int32Array.of(3, 1) };
 * const { probabilities } = await predict(model, tokens);
 * assert.deepEqual(probabilities.shape, [2, 2]);
 * assert.deepEqual(model.parameters[0]!.shape, [100, 8]); // embedding.weight
 * ```
 */
export async function createModel(config: ModelConfig, options: ModelOptions = {}): Promise<Model> {
  const full = resolveConfig(config), { seed = 0 } = options;
  checkSize(full);
  seedWords(seed);
  const { seed: _, ...own } = options;
  const { device: name, threads, simd } = resolveOptions("create model", DEVICE_OPTIONS, own) as Required<
    Pick<ModelOptions, "device" | "threads" | "simd">
  >;
  const cores = Math.min(globalThis.navigator?.hardwareConcurrency ?? 1, MAX_THREADS);
  const device = name === "wasm" ? new WasmDevice(threads === "auto" ? cores : threads, simd) : await openWebGpu();
  try {
    return new ModelCore(full, seed, device, simd, threads === "auto" ? AUTO_BLOCKS : 2);
  } catch (error) {
    device.dispose();
    throw error;
  }
}

/** That the parameters are not too many for any device: what is made for them takes its own memory. */
function checkSize(config: FullConfig): void {
  const last = parameterList(config).at(-1)!, numbers = last.offset + last.length, mebibytes = numbers / 2 ** 18;
  if (mebibytes <= 4096) return;
  throw fail(
    "out-of-memory",
    "create model",
    `its ${numbers} parameters take ${Math.ceil(mebibytes)} MiB, more than the 4096 MiB that ` +
      `there can be for all: take a smaller hidden size or ${config.numEmbeddings ? "vocabulary" : "fewer layers"}`,
  );
}

/** Loaded only where it is wanted. */
async function openWebGpu(): Promise<Device> {
  const { WebGpuDevice } = await import("../device/webgpu.ts");
  return await WebGpuDevice.open();
}
