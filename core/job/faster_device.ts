/** `--device auto`: a few steps of the user's own training on each device, and the faster of them. */

import type { Batch } from "../data/dataset.ts";
import { type DeviceName, internalsOf, type Model, type ModelOptions } from "../model/model.ts";
import { ResultQueue } from "../device/results.ts";
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

/** The faster device for a training, measured. */
export async function fasterDevice(
  options: Job["device"],
  make: (options: ReturnType<typeof modelOptions>) => Promise<Model>,
  trainer: TrainerOptions,
  batch: Batch,
): Promise<Measured> {
  const onCpu = { ...options, device: "wasm" } as const, onGpu = { device: "webgpu" } as const;
  const wasm = await stepTime(onCpu, make, trainer, batch);
  try {
    const webgpu = await stepTime(onGpu, make, trainer, batch);
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
  batch: Batch,
): Promise<number> {
  using model = await make(modelOptions(options));
  const trainer = createTrainer(model, trainerOptions), { stepsAhead } = internalsOf(model).session.device;
  // What is compiled on first use is no part of it.
  for (let i = 0; i < 2; i++) await trainer.step(batch, batch.targets);
  for (let steps = 4;; steps *= 2) {
    const start = performance.now();
    const queue = new ResultQueue(trainer, stepsAhead, () => {});
    for (let i = 0; i < steps; i++) await queue.add(await trainer.begin(batch, batch.targets));
    await queue.drain();
    const spent = performance.now() - start;
    if (spent >= LEAST) return spent / steps;
  }
}
