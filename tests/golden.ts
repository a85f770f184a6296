/**
 * Reads the PyTorch fixtures in tests/testdata/golden and holds results to them. Those for tokens and weights were made by
 * scripts/fixtures/golden.py.
 */

import { pathToFileURL } from "node:url";
import type { GradientOptions, NamedArray, Sequences, Targets } from "../core/model/model.ts";
import type { ModelConfig } from "../core/model/config.ts";
import type { LossName, LossOptions } from "../core/model/losses.ts";
import type { OptimizerName } from "../core/train/optimizer.ts";
import type { Trainer, TrainerOptions } from "../core/train/trainer.ts";

/** A tensor as the fixtures write it. */
export interface StoredTensor {
  shape: number[];
  dtype: string;
  b64?: string;
  data?: number[];
}

export type StoredTensors = Record<string, StoredTensor>;

/** cases-NAME.json */
export interface Case {
  config: StoredConfig;
  params: StoredTensors;
  inputs: StoredTensors;
  float64: { outputs: StoredTensors; param_grads: StoredTensors; input_grads: StoredTensors };
  float32_error: Record<string, { max_abs_error: number; max_abs_value: number }>;
}

/** trajectories-NAME.json */
export interface Trajectory {
  config: StoredConfig & {
    optimizer: { name: string } & Record<string, unknown>;
    clip_norm?: number;
    clip_value?: number;
    /** Sequences of each part that a batch is handed over in. Default: one part. */
    parts?: number[];
  };
  params: StoredTensors;
  batches: StoredTensors[];
  float64: TrajectoryRun;
  float32: TrajectoryRun;
  float32_error: Record<string, number>;
}

interface TrajectoryRun {
  losses: number[];
  grad_norms: number[];
  steps: Record<string, { params: StoredTensors; optimizer_state: Record<string, StoredTensors> }>;
}

interface StoredConfig {
  name: string;
  shape: [number, number, number, number, number];
  outputs: number;
  loss: "bce" | "ce" | "mse";
  bidirectional: boolean;
  bias: boolean;
  /** Tokens, or 0. */
  vocabulary?: number;
  padding?: number | null;
  class_weights?: number[] | null;
  pos_weight?: number[] | null;
}

const FOLDER = new URL("./testdata/golden/", import.meta.url);

/** Where cases and trajectories stand: in another folder with GRUTTO_GOLDEN, read only where that is permitted. */
function fixtureFolder(): URL {
  const { state } = Deno.permissions.querySync({ name: "env", variable: "GRUTTO_GOLDEN" });
  const path = state === "granted" ? Deno.env.get("GRUTTO_GOLDEN") : undefined;
  return path ? pathToFileURL(`${path}/`) : FOLDER;
}

/** The fixtures PREFIX-NAME.json. None at all is an error: a test of nothing would pass. */
export function fixtures<T>(prefix: string): { name: string; read: () => T }[] {
  const folder = fixtureFolder();
  const names = [...Deno.readDirSync(folder)].map((entry) => entry.name).filter((name) => name.startsWith(prefix))
    .sort();
  if (names.length === 0) throw new Error(`No fixtures ${prefix}*.json in ${folder}`);
  return names.map((name) => ({
    name: name.slice(prefix.length, -".json".length),
    read: () => JSON.parse(Deno.readTextFileSync(new URL(name, folder))),
  }));
}

/** A file of the committed fixtures. */
export function readFixture<T>(name: string): T {
  return JSON.parse(Deno.readTextFileSync(new URL(name, FOLDER)));
}

/** The numbers of a stored tensor, in double precision. */
export function numbers({ dtype, b64, data }: StoredTensor): Float64Array {
  if (data) return Float64Array.from(data);
  const { buffer } = Uint8Array.fromBase64(b64!);
  return dtype === "float64" ? new Float64Array(buffer) : Float64Array.from(new Float32Array(buffer));
}

export function named(tensors: StoredTensors): Record<string, NamedArray> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, t]) => [name, { shape: t.shape, data: Float32Array.from(numbers(t)) }]),
  );
}

const LOSS_NAMES = { bce: "bce", ce: "crossEntropy", mse: "mse" } as const;

export function configOf(
  { shape: [, , I, H, layers], outputs, bidirectional, bias, vocabulary, padding }: StoredConfig,
): ModelConfig {
  const tokens = { numEmbeddings: vocabulary ?? 0, paddingIdx: padding ?? undefined };
  return { inputSize: I, hiddenSize: H, outputSize: outputs, numLayers: layers, bidirectional, bias, ...tokens };
}

/** What weighs a loss. */
function weightsOf({ class_weights, pos_weight }: StoredConfig): Omit<LossOptions, "loss"> {
  return { classWeights: class_weights ?? undefined, posWeight: pos_weight ?? undefined };
}

/** A stored batch as the public face takes it. */
export function batchOf(
  config: StoredConfig,
  inputs: StoredTensors,
): { sequences: Sequences; targets: Targets; loss: LossName } & GradientOptions {
  const { x, h0, labels, lengths, dropout_mask, weights } = inputs;
  const floats = (t: StoredTensor) => Float32Array.from(numbers(t));
  return {
    sequences: {
      x: config.vocabulary ? Int32Array.from(numbers(x!)) : floats(x!),
      shape: x!.shape,
      h0: floats(h0!),
      ...lengths && { lengths: Int32Array.from(numbers(lengths)) },
    },
    targets: config.loss === "ce" ? Int32Array.from(numbers(labels!)) : floats(labels!),
    loss: LOSS_NAMES[config.loss],
    ...weightsOf(config),
    ...weights && { weights: floats(weights) },
    ...dropout_mask && { dropoutMask: floats(dropout_mask) },
  };
}

/** A batch in parts of so many sequences each. */
function partsOf(
  { shape: [B, , , , layers], bidirectional }: StoredConfig,
  { sequences, targets, weights, ...rest }: ReturnType<typeof batchOf>,
  counts: number[] = [B],
): ReturnType<typeof batchOf>[] {
  let first = 0;
  return counts.map((count) => {
    // Rows `first` to `first + count` of each of so many blocks.
    const cut = <A extends Float32Array | Int32Array>(array: A, blocks = 1): A => {
      const width = array.length / B / blocks, rows = array.slice(0, blocks * count * width);
      for (let block = 0; block < blocks; block++) {
        const start = (block * B + first) * width;
        rows.set(array.subarray(start, start + count * width), block * count * width);
      }
      return rows as A;
    };
    const { x, shape, lengths, h0 } = sequences;
    const part = {
      sequences: {
        x: cut(x),
        shape: [count, ...shape.slice(1)],
        lengths: lengths && cut(lengths),
        h0: cut(h0!, layers * (bidirectional ? 2 : 1)),
      },
      targets: cut(targets),
      weights: weights && cut(weights),
      ...rest,
    };
    first += count;
    return part;
  });
}

/** One step of a trajectory; the loss of a batch in parts is their mean by weight. */
export async function stepOf(
  trainer: Trainer,
  config: Trajectory["config"],
  batch: StoredTensors,
): Promise<{ loss: number; gradNorm: number }> {
  const parts = partsOf(config, batchOf(config, batch), config.parts);
  let loss = 0, weight = 0, gradNorm = 0;
  for (const [i, { sequences, targets, dropoutMask, weights }] of parts.entries()) {
    const result = await trainer.step(sequences, targets, { dropoutMask, weights, update: i === parts.length - 1 });
    let own = 0;
    for (let row = 0; row < sequences.shape[0]!; row++) {
      own += (weights?.[row] ?? 1) * (config.class_weights?.[targets[row]!] ?? 1);
    }
    loss += result.loss * own;
    weight += own;
    gradNorm = result.gradNorm;
  }
  return { loss: loss / weight, gradNorm };
}

/** The trainer of a trajectory. Whatever it does not know is an error, so that no setting is passed over. */
export function trainerOptionsOf(config: Trajectory["config"]): TrainerOptions {
  const { loss, optimizer, clip_norm, clip_value } = config;
  const { name, lr, weight_decay, ...rest } = optimizer;
  const own = { learningRate: lr, weightDecay: weight_decay, ...rest };
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
  return {
    loss: LOSS_NAMES[loss],
    optimizer: { name: name.toLowerCase() as OptimizerName, ...given },
    clipNorm: clip_norm,
    clipValue: clip_value,
    ...weightsOf(config),
  };
}

/** What `Model.gradients` and the reference give, and how a case's results are named. */
interface Results {
  loss: number;
  outputs: Record<"output" | "hidden" | "attentionWeights" | "context" | "logits", { data: ArrayLike<number> }>;
  parameters: Record<string, { data: ArrayLike<number> }>;
  inputs: { x: { data: ArrayLike<number> }; h0: { data: ArrayLike<number> } };
}

/** Results beside what they must be and how far they may be off, by the README of the fixtures. */
export function comparisons(
  { float64, float32_error }: Case,
  { loss, outputs, parameters, inputs }: Results,
): { name: string; actual: ArrayLike<number>; expected: Float64Array; allowed: number }[] {
  const groups = {
    outputs: {
      gru_out: outputs.output.data,
      h_n: outputs.hidden.data,
      attn_weights: outputs.attentionWeights.data,
      context: outputs.context.data,
      logits: outputs.logits.data,
      loss: [loss],
    },
    param_grads: Object.fromEntries(Object.entries(parameters).map(([name, { data }]) => [name, data])),
    input_grads: { x: inputs.x.data, h0: inputs.h0.data },
  };
  return Object.entries(groups).flatMap(([group, tensors]) =>
    Object.entries(tensors).map(([tensor, actual]) => {
      const name = `${group}.${tensor}`, { max_abs_error, max_abs_value } = float32_error[name]!;
      const expected = numbers(float64[group as keyof typeof groups][tensor]!);
      return { name, actual, expected, allowed: 8 * max_abs_error + 2e-6 * max_abs_value + 1e-9 };
    })
  );
}

/** The largest distance of `actual` from `expected`, as a share of what is allowed: above 1 is a failure. */
export function share(actual: ArrayLike<number>, expected: ArrayLike<number>, allowed: number): number {
  if (actual.length !== expected.length) throw new RangeError(`${actual.length} numbers, expected ${expected.length}`);
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const distance = Math.abs(actual[i]! - expected[i]!);
    if (Number.isNaN(distance)) return Infinity;
    worst = Math.max(worst, distance);
  }
  return worst / allowed;
}
