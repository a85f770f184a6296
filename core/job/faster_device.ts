/** `--device auto`: a few steps of the user's own training on each device, and the faster of them. */

import { type DeviceName, internalsOf, type Model, type ModelOptions } from "../model/model.ts";
import { ResultQueue } from "../device/results.ts";
import type { TrainingBatch, TrainingData as TrainingSet } from "../train/batch_source.ts";
import { batchSource } from "../train/batches.ts";
import { createTrainer, type TrainerOptions } from "../train/trainer.ts";
import type { Job } from "./options.ts";

/** Milliseconds that a measurement takes at least, unless steps are so slow that a few take longer. */
const LEAST = 150;

/** What the library makes a model with; "auto" must have been settled. */
export function modelOptions({ device, ...rest }: Job["device"]): Pick<ModelOptions, "device" | "threads" | "simd"> {
  return { device: device as DeviceName | undefined, ...rest };
}

/** The measurements. */
export interface Measured {
  /** The faster one, with its options. */
  readonly device: Job["device"];
  /** Milliseconds per step on the CPU. */
  readonly wasm: number;
  /** On the GPU; or why it cannot be used. */
  readonly webgpu: number | { readonly error: unknown };
}

/** Data whose first batch is measured with. */
interface MeasuredData {
  readonly train: TrainingSet;
  readonly batchSize: number;
}

/** The faster device for a training, measured. */
export async function fasterDevice(
  options: Job["device"],
  make: (options: ReturnType<typeof modelOptions>) => Promise<Model>,
  trainer: TrainerOptions,
  data: MeasuredData,
): Promise<Measured> {
  const onCpu = { ...options, device: "wasm" } as const, onGpu = { device: "webgpu" } as const;
  const wasm = await stepTime(onCpu, make, trainer, data);
  try {
    const webgpu = await stepTime(onGpu, make, trainer, data);
    return { device: webgpu < wasm ? onGpu : onCpu, wasm, webgpu };
  } catch (error) {
    return { device: onCpu, wasm, webgpu: { error } };
  }
}

/** Milliseconds per step. */
async function stepTime(
  options: Job["device"],
  make: (options: ReturnType<typeof modelOptions>) => Promise<Model>,
  trainerOptions: TrainerOptions,
  { train, batchSize }: MeasuredData,
): Promise<number> {
  using model = await make(modelOptions(options));
  const [batch] = batchSource(internalsOf(model), "train", train, { batchSize }).batches(0) as Iterable<TrainingBatch>;
  const trainer = createTrainer(model, trainerOptions), { stepsAhead } = internalsOf(model).session.device;
  // What is compiled on first use is no part of it.
  for (let i = 0; i < 2; i++) await trainer.step(batch!, batch!.targets);
  for (let steps = 4;; steps *= 2) {
    const start = performance.now();
    const queue = new ResultQueue(trainer, stepsAhead, () => {});
    for (let i = 0; i < steps; i++) await queue.add(await trainer.begin(batch!, batch!.targets));
    await queue.drain();
    const spent = performance.now() - start;
    if (spent >= LEAST) return spent / steps;
  }
}
