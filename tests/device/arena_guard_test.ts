/**
 * Stray reads and writes, which a test of results may miss: what a kernel reads beside its tensors is often 0, and what it
 * writes there is often overwritten.
 */

import { tensorAt } from "../../core/device/arena.ts";
import assert from "node:assert/strict";
import { type Call, KERNELS, type Tensor } from "../../core/device/kernels.ts";
import type { Simd } from "../../core/device/device.ts";
import { WasmDevice } from "../../core/device/wasm.ts";
import { classifier, LOGITS, type ModelConfig, resolveConfig } from "../../core/model/config.ts";
import type { DropoutMode } from "../../core/model/layers/layer.ts";
import type { LossName } from "../../core/model/losses.ts";
import { PlacedNetwork } from "../../core/model/placed_network.ts";
import { makePlan, type ModelPlan, type PlanShape, type PlanTask } from "../../core/model/plan.ts";
import { Tokens } from "../../core/model/tokens.ts";
import { Random } from "../../core/random.ts";
import { controlWords, resolveOptimizer, updateSpec } from "../../core/train/optimizer.ts";
import { randomBatch, randomMask, randomState } from "../batches.ts";
import { assertIdentical } from "../close.ts";

const OPTIMIZER = resolveOptimizer({ name: "adam", amsgrad: true, weightDecay: 0.1 });

/** What `forward` reads of the ready-made model. */
const VALUES = ["fc.output", "attention.weights", "attention.context", "gru.output", "gru.hidden"];

interface Request {
  readonly B: number;
  readonly T: number;
  readonly purpose: PlanTask["purpose"];
  readonly h0: boolean;
  /** Of a prediction. */
  readonly activation?: LossName;
  readonly loss?: LossName;
  readonly dropout?: DropoutMode;
  readonly weighted?: boolean;
  readonly posWeighted?: boolean;
  readonly accumulate?: boolean;
  /** Whether a step's gradient waits for a later one. */
  readonly waits?: boolean;
}

/** The plan that is asked for, as the library asks for it. */
function shapeOf(request: Request): PlanShape {
  const { B, T, purpose, h0, activation, loss, dropout, weighted, posWeighted, accumulate, waits } = request;
  const update = updateSpec(OPTIMIZER, { clipNorm: 1, clipValue: 0.1 });
  const values =
    { forward: VALUES, gradients: VALUES, predict: ["attention.weights"], evaluate: [], step: [] }[purpose];
  return {
    B,
    T,
    given: [...h0 ? ["gru.h0"] : [], ...dropout === "given" ? ["dropout.mask"] : []],
    task: {
      purpose,
      values,
      activations: activation && { [LOGITS]: activation },
      losses: loss && [{ output: LOGITS, loss, settings: {}, weighted, outputWeighted: posWeighted }],
      dropout,
      update: purpose === "step" && !waits ? update : undefined,
      accumulate,
    },
  };
}

/** A plan on a device of its own, with random parameters and a random batch to run it on. */
class Bench {
  readonly net: PlacedNetwork;
  readonly plan: ModelPlan;
  readonly device: WasmDevice;
  readonly #batch: ReturnType<typeof randomBatch>;
  readonly #mask: Float32Array<ArrayBuffer>;

  static async open(config: ModelConfig, request: Request, simd: Simd): Promise<Bench> {
    return new Bench(await WasmDevice.open(1, simd), config, request);
  }

  private constructor(device: WasmDevice, config: ModelConfig, request: Request) {
    this.device = device;
    const random = new Random(11, "data"), { B, T, loss = "bce" } = request;
    this.net = new PlacedNetwork(classifier(resolveConfig(config)));
    const { store: { layout: { list: parameters }, paddedSize, values } } = this.net;
    this.#batch = randomBatch(random, config, { B, T, loss, lengths: true });
    this.#mask = randomMask(random, B * config.hiddenSize * (config.bidirectional ? 2 : 1), 0.3);
    this.plan = makePlan(this.net, shapeOf(request), { parallelFrom: Infinity });
    this.device.load(this.plan, 0);
    const state = randomState(random, parameters, 2), block = new Float32Array(paddedSize);
    for (const { name, offset } of parameters) block.set(state[name]!.data, offset);
    this.device.write(values, block);
  }

  /** Address of the scratch space, in elements of the arena: the next multiple of 64 bytes (core/device/wasm.ts). */
  get scratch(): number {
    return align(this.plan.arena);
  }

  /** Everything up to the end of the scratch space. */
  get all(): Tensor {
    return tensorAt(0, this.scratch + this.plan.scratch);
  }

  /** What follows: the encoded programs, and the rest of the memory, where reading stops. */
  get behind(): Tensor {
    return tensorAt(align(this.all.length), 2 ** 20);
  }

  /** Fills the plan's own memory, and then its inputs. */
  fill(value: number, step: number) {
    const { device, net: { store: { persistent, control }, embeddings }, plan: { io } } = this;
    const { sequences, targets } = this.#batch;
    const length = this.all.length - persistent;
    device.write(tensorAt(persistent, length), new Float32Array(length).fill(value));
    const { x, lengths, h0, shape: [B, T] } = sequences;
    const write = (name: string, data: Float32Array | Int32Array | ((length: number) => Float32Array)) => {
      const tensor = io.get(name);
      if (tensor) device.write(tensor, typeof data === "function" ? data(tensor.length) : data);
    };
    for (const node of embeddings) {
      if (!io.has(`${node.name}.occurrences`)) continue;
      write(`${node.name}.occurrences`, new Tokens(node).occurrences(x as Int32Array, lengths, [B!, T!]));
    }
    write("x", x);
    write(`@${LOGITS}.weights`, (length) => Float32Array.from({ length }, (_, i) => i % 3));
    write(`@${LOGITS}.outputWeights`, (length) => Float32Array.from({ length }, (_, i) => 1 + i));
    write("@lengths", lengths);
    write("gru.h0", h0);
    write("dropout.mask", this.#mask);
    write(`@${LOGITS}.targets`, targets);
    device.write(control, controlWords(OPTIMIZER, [1, 2], step, { rows: 3, weight: 2 }, 1));
  }
}

function align(elements: number): number {
  return Math.ceil(elements / 16) * 16;
}

/** Runs a plan twice on memory filled with `fill`: everything that can be read afterwards, by name. */
async function results(
  config: ModelConfig,
  request: Request,
  simd: Simd,
  fill: number,
): Promise<Record<string, Float32Array>> {
  const bench = await Bench.open(config, request, simd), { device, net, plan, behind } = bench;
  const code = await device.read(behind), found: Record<string, Float32Array> = {};
  for (let run = 0; run < 2; run++) {
    bench.fill(fill, run);
    await device.run(plan.pack);
    await device.run(plan.main);
    for (const [name, tensor] of plan.io) found[`${name} of run ${run}`] = await device.read(tensor);
    const persistent = tensorAt(0, net.store.persistent);
    found[`persistent part after run ${run}`] = await device.read(persistent);
  }
  assertIdentical(await device.read(behind), code, "behind the plan");
  device.dispose();
  return found;
}

/**
 * Runs a plan call by call. Each may change nothing but the tensors that it puts out, and must change them in the same way
 * when all memory but its own tensors is NaN. Only what is left in a tensor named `scratch` means nothing: a product with
 * its sides rounded up has sums of whatever stood there beyond them.
 */
async function checkCalls(config: ModelConfig, request: Request, simd: Simd) {
  const bench = await Bench.open(config, request, simd), { device, plan, all, scratch } = bench;
  const calls = [plan.pack, plan.main].flat(3);
  const programs = calls.map((call) => [[[call]]]);
  bench.fill(NaN, 0);
  device.load({ arena: plan.arena, scratch: plan.scratch, parallel: false, programs }, all.length);
  for (const [i, call] of calls.entries()) {
    const { out, acc, in: inputs } = KERNELS[call.kernel];
    const written = covered(call, [...out, ...acc], all.length, scratch);
    const own = covered(call, [...out, ...acc, ...inputs], all.length, scratch);
    const unspecified = covered(call, out.filter((name) => name === "scratch"), all.length, scratch);
    const before = await device.read(all);
    await device.run(programs[i]!);
    const after = await device.read(all);
    device.write(all, before.map((value, at) => own[at] ? value : NaN));
    await device.run(programs[i]!);
    const alone = await device.read(all);
    for (let at = 0; at < after.length; at++) {
      if (!written[at] && !Object.is(after[at], before[at])) {
        assert.fail(`${call.kernel}, call ${i}, writes ${after[at]} to ${at}, which is not its own`);
      }
      if (own[at] && !unspecified[at] && !Object.is(alone[at], after[at])) {
        assert.fail(`${call.kernel}, call ${i}, reads what is not its own: ${alone[at]} at ${at}, not ${after[at]}`);
      }
    }
    device.write(all, after);
  }
  device.dispose();
}

/** For every element whether it belongs to one of the named tensors of a call. */
function covered(call: Call, names: readonly string[], length: number, scratch: number): Uint8Array {
  const mask = new Uint8Array(length);
  for (const name of names) {
    const tensor = call.arguments[name.replace("?", "")] as Tensor | null;
    if (!tensor) continue;
    const start = tensor.offset + (tensor.scratch ? scratch : 0);
    mask.fill(1, start, start + tensor.length);
  }
  return mask;
}

const SMALL = { inputSize: 3, hiddenSize: 5, outputSize: 2 };
const DEEP = { inputSize: 3, hiddenSize: 7, outputSize: 3, numLayers: 3, dropout: 0.5, bias: false };
const WIDE = { inputSize: 5, hiddenSize: 6, outputSize: 1, numLayers: 2, bidirectional: true, dropout: 0.3 };
/** Of a size that takes several blocks of rows. */
const LARGE = { inputSize: 6, hiddenSize: 33, outputSize: 3 };

const RUNS: { about: string; config: ModelConfig; request: Request }[] = [
  { about: "forward", config: SMALL, request: { B: 3, T: 5, purpose: "forward", h0: false } },
  { about: "forward, one sequence of one step", config: SMALL, request: { B: 1, T: 1, purpose: "forward", h0: true } },
  { about: "forward, bidirectional", config: WIDE, request: { B: 9, T: 4, purpose: "forward", h0: true } },
  {
    about: "predict, bce",
    config: SMALL,
    request: { B: 3, T: 5, purpose: "predict", h0: false, activation: "bce" },
  },
  {
    about: "predict, crossEntropy",
    config: DEEP,
    request: { B: 3, T: 5, purpose: "predict", h0: false, activation: "crossEntropy" },
  },
  { about: "evaluate, mse", config: SMALL, request: { B: 5, T: 2, purpose: "evaluate", h0: false, loss: "mse" } },
  {
    about: "gradients, bce",
    config: SMALL,
    request: { B: 3, T: 5, purpose: "gradients", h0: true, loss: "bce", dropout: "given" },
  },
  {
    about: "gradients, crossEntropy, three layers",
    config: DEEP,
    request: { B: 11, T: 3, purpose: "gradients", h0: true, loss: "crossEntropy" },
  },
  {
    about: "gradients, mse, bidirectional",
    config: WIDE,
    request: { B: 5, T: 7, purpose: "gradients", h0: false, loss: "mse" },
  },
  {
    about: "gradients, several blocks",
    config: LARGE,
    request: { B: 19, T: 40, purpose: "gradients", h0: true, loss: "bce" },
  },
  {
    about: "step, random dropout, bidirectional",
    config: WIDE,
    request: { B: 6, T: 5, purpose: "step", h0: false, loss: "bce", dropout: "random" },
  },
  {
    about: "step, random dropout, three layers",
    config: DEEP,
    request: { B: 2, T: 3, purpose: "step", h0: true, loss: "crossEntropy", dropout: "random" },
  },
  {
    about: "step, tokens and weights, several blocks",
    config: { ...LARGE, numEmbeddings: 50, paddingIdx: 3 },
    request: {
      B: 18,
      T: 40,
      purpose: "step",
      h0: false,
      loss: "bce",
      dropout: "random",
      weighted: true,
      posWeighted: true,
    },
  },
  {
    about: "gradients, tokens and weights",
    config: { ...DEEP, numEmbeddings: 7 },
    request: { B: 5, T: 3, purpose: "gradients", h0: true, loss: "crossEntropy", weighted: true },
  },
  {
    about: "a step that waits, several blocks",
    config: LARGE,
    request: { B: 18, T: 40, purpose: "step", h0: false, loss: "mse", weighted: true, accumulate: true, waits: true },
  },
  {
    about: "a step after others that wait, tokens",
    config: { ...WIDE, numEmbeddings: 7 },
    request: { B: 6, T: 5, purpose: "step", h0: false, loss: "bce", accumulate: true },
  },
  {
    about: "step, gradients of weights in two strips",
    config: { ...SMALL, outputSize: 513 },
    request: { B: 2, T: 2, purpose: "step", h0: false, loss: "mse" },
  },
  {
    about: "step, several blocks",
    config: LARGE,
    request: { B: 18, T: 40, purpose: "step", h0: false, loss: "crossEntropy", dropout: "random" },
  },
];

for (const simd of ["relaxed", "wide"] as const) {
  for (const { about, config, request } of RUNS) {
    Deno.test(`results do not depend on what stood in the memory: ${about}, ${simd} SIMD`, async () => {
      const expected = await results(config, request, simd, 0);
      for (const fill of [NaN, 1e30]) {
        const found = await results(config, request, simd, fill);
        assert.deepEqual(Object.keys(found), Object.keys(expected));
        for (const [name, data] of Object.entries(expected)) {
          assertIdentical(found[name]!, data, `${name}, memory filled with ${fill}`);
        }
      }
    });

    Deno.test(`every kernel keeps to its tensors: ${about}, ${simd} SIMD`, () => checkCalls(config, request, simd));
  }
}
