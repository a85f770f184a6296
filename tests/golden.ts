/** Reads the PyTorch fixtures in tests/testdata/golden and holds results to them. */

import type { NamedArray, Sequences, Targets } from "../core/model/model.ts";
import type { ModelConfig } from "../core/model/config.ts";
import type { LossName } from "../core/model/head.ts";

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
    steps: number[];
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
}

/** Where the fixtures stand; another folder of the same format with GRUTTO_GOLDEN. */
const FOLDER = new URL("./testdata/golden/", import.meta.url);

export function fixtures<T>(prefix: string, folder: URL = FOLDER): { name: string; read: () => T }[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name).filter((name) => name.startsWith(prefix)).sort()
    .map((name) => ({
      name: name.slice(prefix.length, -".json".length),
      read: () => JSON.parse(Deno.readTextFileSync(new URL(name, folder))),
    }));
}

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

export function configOf({ shape: [, , I, H, layers], outputs, bidirectional, bias }: StoredConfig): ModelConfig {
  return { inputSize: I, hiddenSize: H, outputSize: outputs, numLayers: layers, bidirectional, bias };
}

/** A stored batch as the public face takes it. */
export function batchOf(
  config: StoredConfig,
  inputs: StoredTensors,
): { sequences: Sequences; targets: Targets; loss: LossName; dropoutMask?: Float32Array } {
  const { x, h0, labels, lengths, dropout_mask } = inputs;
  const floats = (t: StoredTensor) => Float32Array.from(numbers(t));
  return {
    sequences: {
      x: floats(x!),
      shape: x!.shape,
      h0: floats(h0!),
      ...lengths && { lengths: Int32Array.from(numbers(lengths)) },
    },
    targets: config.loss === "ce" ? Int32Array.from(numbers(labels!)) : floats(labels!),
    loss: LOSS_NAMES[config.loss],
    ...dropout_mask && { dropoutMask: floats(dropout_mask) },
  };
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
