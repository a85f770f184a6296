import type { Device } from "../device/device.ts";
import { MAX_THREADS, type Simd } from "../device/device.ts";
import { dispose } from "../engine.ts";
import { ALONE } from "../fleet/fleet.ts";
import { checkArgument, fail } from "../errors.ts";
import { frozen, ownOptions, resolveOptions } from "../options.ts";
import { seedWords } from "../random.ts";
import type { NamedArray, StateDict } from "./arrays.ts";
import type { Sequences, Targets } from "./batch.ts";
import { classifier, type FullConfig, LOGITS, type ModelConfig, resolveConfig } from "./config.ts";
import { Internals } from "./internals.ts";
import type { LossName } from "./losses.ts";
import { DEVICE_OPTIONS, type DeviceName, type ModelOptions, type NetworkOptions } from "./model_options.ts";
import { type OutputMeaning, resolveMeanings, withLoss } from "./meanings.ts";
import { type Network, type ResolvedNetwork, resolveNetwork } from "./network.ts";
import type { Parameter } from "./parameters.ts";
import { PlacedNetwork } from "./placed_network.ts";
import {
  type AnyTargets,
  byOutput,
  type GradientOptions,
  type Gradients,
  type NetworkGradients,
  type NetworkOutputs,
  type Outputs,
} from "./results.ts";
import { isSeq2Seq, type Seq2SeqConfig, seq2seqLoss, seq2seqNetwork } from "./seq2seq.ts";
import { type RunTask, Session, type TaskLoss } from "./session.ts";

/** A network that computes. Made by {@linkcode createModel}. */
export interface NetworkModel extends Disposable {
  /** The network, as plain data. */
  readonly network: Network;
  /** The options of the ready-made model, all filled in; undefined for a network of your own. */
  readonly config: Readonly<FullConfig> | undefined;
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
  /** The loss of its first output, if it is known: that it was made with, else that of its last trainer. */
  readonly loss: LossName | undefined;
  /** What its outputs mean, by name, as far as that is known. */
  readonly meanings: Readonly<Record<string, OutputMeaning>>;
  /**
   * What the model computes from a batch, in evaluation mode: no dropout.
   *
   * @param sequences Inputs (B, T, I), with lengths and initial states if wanted.
   * @param options `values`: what to return besides, as "layer.port": "gru.output".
   * @throws {TypeError} If an array is missing or of the wrong kind, or there is no such value.
   * @throws {RangeError} If an array does not fit its shape.
   */
  forward(sequences: Sequences, options?: { readonly values?: readonly string[] }): Promise<NetworkOutputs>;
  /**
   * The loss of a batch and its gradients, in evaluation mode but for `dropoutMask`: what `loss.backward()` computes.
   *
   * @param sequences Inputs (B, T, I).
   * @param targets Of an only output, or by name: numbers (B, O), or class numbers (B) as Int32Array; for an output of
   * every step (B, T, O) or (B, T). Null where `outputGradients` are given.
   * @param options The loss with its weights, or the gradients of the outputs; multipliers of a dropout layer.
   * @throws {TypeError | RangeError} If the batch does not fit the model.
   */
  gradients(sequences: Sequences, targets: AnyTargets | null, options?: GradientOptions): Promise<NetworkGradients>;
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

/** The ready-made model: recurrent layers, additive attention and a linear output. Made by {@linkcode createModel}. */
export interface Model extends NetworkModel {
  /** Its options, all filled in. */
  readonly config: Readonly<FullConfig>;
  /** As {@linkcode NetworkModel.forward}, the values of the ready-made model by their names too. */
  forward(sequences: Sequences, options?: { readonly values?: readonly string[] }): Promise<Outputs>;
  /** As {@linkcode NetworkModel.gradients}. */
  gradients(sequences: Sequences, targets: AnyTargets | null, options?: GradientOptions): Promise<Gradients>;
}

/** A model from inside, for those that train and evaluate it. */
export function internalsOf(model: NetworkModel): Internals {
  if (!(model instanceof SessionModel)) throw fail("argument-type", "use model", "it was not made by createModel");
  return model.internals;
}

/** The public face of a session. */
class SessionModel implements NetworkModel {
  readonly config: FullConfig | undefined;
  readonly internals: Internals;
  readonly #session: Session;
  readonly #forward: RunTask;

  constructor(session: Session, config: FullConfig | undefined, meanings: Readonly<Record<string, OutputMeaning>>) {
    this.config = config;
    this.#session = session;
    const { net } = session, outputs = Object.values(net.resolved.outputs).map(({ source }) => source);
    const ready = config ? ["attention.context", `${config.cell}.output`] : [];
    const values = new Set([...outputs, ...ready, ...net.valuesOf("weights", "states", "alignment")]);
    this.#forward = { purpose: "forward", values: [...values] };
    this.internals = new Internals(session, meanings, this.#forward, (found) => this.#outputs(found));
  }

  get network(): Network {
    return this.#session.net.network;
  }

  get seed(): number {
    return this.#session.seed;
  }

  get parameters(): readonly Parameter[] {
    return this.#session.parameters;
  }

  get device(): NetworkModel["device"] {
    const { name, description, arithmetic, withoutThreads } = this.#session.device;
    return { name, description, arithmetic, ...withoutThreads && { withoutThreads } };
  }

  get loss(): LossName | undefined {
    const { meanings, outputs } = this.internals;
    return meanings[outputs[0]!]?.loss;
  }

  get meanings(): Readonly<Record<string, OutputMeaning>> {
    return this.internals.meanings;
  }

  forward(
    sequences: Sequences,
    options: { readonly values?: readonly string[] } = {},
  ): Promise<NetworkOutputs> {
    return this.#session.exclusive(async () => {
      const { values = [] } = ownOptions("run model", options, { values: true });
      checkArgument("run model", "values", values, "strings");
      const task = values.length ? { ...this.#forward, values: this.#wanted(values) } : this.#forward;
      const { plan } = await this.#session.run(sequences, task);
      return this.#outputs(await this.#session.values(plan, task.values!));
    });
  }

  /** The values of `forward`, and others. */
  #wanted(values: readonly string[]): readonly string[] {
    const known = this.#session.net.valuesOf("rows", "steps", "weights", "states", "alignment");
    const unknown = values.find((value) => !known.includes(value));
    if (unknown !== undefined) {
      const problem = `there is no value "${unknown}"; there are ${known.join(", ")}`;
      throw fail("argument-out-of-range", "run model", problem, { name: "values", value: unknown });
    }
    return [...new Set([...this.#forward.values!, ...values])];
  }

  gradients(
    sequences: Sequences,
    targets: AnyTargets | null,
    given: GradientOptions = {},
  ): Promise<NetworkGradients> {
    return this.#session.exclusive(() => {
      const options = ownOptions("run model", given);
      const { dropoutMask, dropoutMasks, weights, outputGradients: own } = options, losses = this.#losses(options);
      const outputGradients = own && this.internals.outputGradients("run model", own, sequences);
      return this.internals.gradients(sequences, losses, {
        targets: byOutput(targets, losses),
        weights,
        outputGradients,
        masks: dropoutMask || dropoutMasks ? { ...dropoutMasks, ...dropoutMask && { "": dropoutMask } } : undefined,
      });
    });
  }

  #losses(
    { losses, outputGradients, dropoutMask: _, dropoutMasks: _m, weights, ...options }: GradientOptions,
  ): readonly TaskLoss[] {
    const action = "run model", { internals } = this, { outputs } = internals, [other] = Object.keys(options);
    const extra = outputGradients && losses ? "losses" : outputGradients && weights ? "weights" : other;
    if ((outputGradients || losses) && extra !== undefined) {
      const problem = `${extra} has no part where ${outputGradients ? "outputGradients" : "losses"} are given`;
      throw fail("option-conflict", action, problem, { option: extra });
    }
    if (outputGradients) return outputs.map((output) => ({ output, loss: null }));
    if (losses) return internals.resolveLosses(action, losses);
    if (outputs.length > 1 && other === undefined) {
      return internals.resolveLosses(action, internals.knownLosses(action));
    }
    const output = internals.only(action, "pass losses, by output");
    const { loss } = internals.meaning(action, output, options);
    return internals.resolveLosses(action, { [output]: { ...options, loss } });
  }

  #outputs(found: StateDict): NetworkOutputs {
    const values: Record<string, NamedArray> = { ...found };
    for (const [name, { source }] of Object.entries(this.#session.net.resolved.outputs)) values[name] = found[source]!;
    if (!this.config) return { values };
    const { cell } = this.config;
    return {
      values,
      logits: values[LOGITS],
      attentionWeights: values["attention.weights"],
      context: values["attention.context"],
      output: values[`${cell}.output`],
      hidden: values[`${cell}.hidden`],
    } as Outputs;
  }

  stateDict(): Promise<StateDict> {
    return this.#session.exclusive(() => this.#session.readParameters());
  }

  loadStateDict(dict: StateDict): Promise<void> {
    // deno-lint-ignore require-await -- errors arrive as rejections
    return this.#session.exclusive(async () => this.#session.writeValues(dict));
  }

  dispose(): void {
    this.#session.dispose();
  }

  [dispose](): void {
    this.dispose();
  }
}

/**
 * Makes a model: the ready-made one from a config, which is recurrent layers, additive attention with their final state as
 * the query, dropout, and a linear output; or a network of your own, see `defineNetwork`.
 *
 * Initial values are PyTorch's: N(0, 1) for embeddings, uniform in ±1/√H for recurrent layers, in ±1/√inputs for the rest.
 *
 * @throws {TypeError} If an option is unknown or of the wrong type, or layers do not fit one another.
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
 * const config = { numEmbeddings: 100, paddingIdx: 0, inputSize: 8, hiddenSize: 10, outputSize: 2, loss: "bce" as const };
 * using model = await createModel(config);
 * const tokens = { x: Int32Array.of(5, 17, 99, 4, 0, 0), shape: [2, 3, 1], lengths: Int32Array.of(3, 1) };
 * const { outputs } = await predict(model, tokens);
 * assert.deepEqual(outputs.shape, [2, 2]);
 * assert.deepEqual(model.parameters[0]!.shape, [100, 8]); // embedding.weight
 * ```
 */
export function createModel(
  config: ModelConfig,
  options?: ModelOptions & { loss?: LossName; quantiles?: readonly number[] },
): Promise<Model>;
/**
 * The same from sequences to sequences: an encoder, a bridge, and a decoder that asks all of the encoder's outputs at every
 * step (Bahdanau, Cho and Bengio 2014). It is trained on pairs. Its loss is by default "crossEntropy" of tokens and "mse" of
 * numbers; its `network` says what it is, and `config` is undefined. With the loss "quantile" it puts out Q quantiles of each of
 * a target's numbers, and is fed all of them, or the target Q times.
 *
 * @example Digits to their names
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, createSearcher, END, ragged, train } from "@grutto/grutto";
 *
 * // Sources: 0 is padding, 1 unknown, then two digits. Targets: 0 to 3 have their own meaning, then two names.
 * const digits = [[2, 3], [3], [2, 2, 3], [3, 2]], names = digits.map((of) => [...of.map((digit) => digit + 2), END]);
 * const sizes = { sourceTokens: 4, sourceSize: 8, targetTokens: 6, targetSize: 8, hiddenSize: 16 };
 * using model = await createModel({ task: "seq2seq", ...sizes });
 * const pairs = { sources: ragged(digits), targets: ragged(names) };
 * await train(model, pairs, { epochs: 60, batchSize: 4, optimizer: { learningRate: 0.02 } });
 *
 * using searcher = await createSearcher(model);
 * const [best] = (await searcher.search({ x: Int32Array.of(2, 3), shape: [1, 2, 1] }, { maxLength: 5 }))[0]!;
 * assert.deepEqual(best!.tokens, [4, 5]);
 * ```
 */
export function createModel(
  config: Seq2SeqConfig,
  options?: ModelOptions & { loss?: LossName; quantiles?: readonly number[] },
): Promise<NetworkModel>;
/** The same for a network of your own. */
export function createModel(network: Network, options?: NetworkOptions): Promise<NetworkModel>;
export function createModel(
  made: ModelConfig | Seq2SeqConfig | Network,
  asked: NetworkOptions = {},
): Promise<NetworkModel> {
  return makeModel(made, asked);
}

/** The same with parameters that are 0, to be loaded next: initial ones would take their time and as much memory again. */
export async function createBlank(made: ModelConfig | Network, options: NetworkOptions = {}): Promise<Model> {
  return await makeModel(made, options, true) as Model;
}

async function makeModel(
  made: ModelConfig | Seq2SeqConfig | Network,
  asked: NetworkOptions,
  isBlank = false,
): Promise<NetworkModel> {
  const options = ownOptions("create model", asked);
  const given = isSeq2Seq(made) ? seq2seqNetwork(made, options.quantiles) : made;
  const usual = isSeq2Seq(made) ? seq2seqLoss(made) : undefined;
  const { seed = 0, loss = usual, quantiles, module, fleet = ALONE, ...own } = options;
  const config = isNetwork(given) ? undefined : resolveConfig(withLoss(given, { loss, quantiles }));
  const network = isNetwork(given) ? given : classifier(config!), resolved = resolveNetwork(network);
  checkSize(resolved);
  // What a checkpoint says of the model is what it was made from.
  const net = new PlacedNetwork(frozen(network), resolved);
  seedWords(seed);
  const { device: name, threads, simd } = resolveOptions("create model", DEVICE_OPTIONS, own) as Required<
    Pick<ModelOptions, "device" | "threads" | "simd">
  >;
  if (module !== undefined && (name !== "wasm" || !(module instanceof WebAssembly.Module))) {
    const problem = name === "wasm" ? "must be a WebAssembly.Module" : `is of no use on device "${name}"`;
    throw fail("option-type", "create model", `option module ${problem}`, { option: "module", value: module });
  }
  const meanings = resolveMeanings(
    net,
    config ? { loss: config.loss, quantiles: config.quantiles } : { loss, quantiles },
  );
  if (typeof fleet?.gather !== "function") {
    throw fail("option-type", "create model", "option fleet must be what openFleet gives", {
      option: "fleet",
      value: fleet,
    });
  }
  if (fleet.size > 1 && name !== "wasm") {
    const problem = `several processes train on the CPU, not on "${name}"`;
    throw fail("option-conflict", "create model", problem, { option: "device", advice: "start one process" });
  }
  const here = fleet.hosts.filter((host) => host === fleet.hosts[fleet.rank]).length;
  const cores = Math.min(Math.max(1, Math.floor((globalThis.navigator?.hardwareConcurrency ?? 1) / here)), MAX_THREADS);
  const device = name === "wasm"
    ? await openWasm(threads === "auto" ? cores : threads, simd, module)
    : await openWebGpu();
  try {
    const session = new Session(net, seed, { device, simd, threads, fleet, isBlank });
    return new SessionModel(session, frozen(config), frozen(meanings));
  } catch (error) {
    device.dispose();
    throw error;
  }
}

/** Whether it is a network rather than a config. */
export function isNetwork(given: unknown): given is Network {
  return typeof given === "object" && given !== null && Object.hasOwn(given, "layers");
}

/** That the parameters are not too many for any device: what is made for them takes its own memory. */
function checkSize({ layout: { size, tables } }: ResolvedNetwork): void {
  const mebibytes = size / 2 ** 18;
  if (mebibytes <= 4096) return;
  throw fail(
    "out-of-memory",
    "create model",
    `its ${size} parameters need ${Math.ceil(mebibytes)} MiB; WebAssembly memory is limited to 4096 MiB`,
    { value: size, advice: `take a smaller hidden size or ${tables ? "vocabulary" : "fewer layers"}` },
  );
}

/** Devices are loaded where they are wanted: help and files are read without any. */
async function openWasm(threads: number, simd: Simd, module?: WebAssembly.Module): Promise<Device> {
  const { WasmDevice } = await import("../device/wasm.ts");
  return await WasmDevice.open(threads, simd, module);
}

async function openWebGpu(): Promise<Device> {
  const { WebGpuDevice } = await import("../device/webgpu.ts");
  return await WebGpuDevice.open();
}

export { DEVICE_OPTIONS, type DeviceName, type ModelOptions, type NetworkOptions };
export type { AnyTargets, GradientOptions, Gradients, NetworkGradients, NetworkOutputs, Outputs };
export type { NamedArray, Sequences, StateDict, Targets };
