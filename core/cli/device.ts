/** `--device auto`: a few steps of the user's own training on each device, and the faster of them. */

import type { Batch } from "../data/dataset.ts";
import type { ModelConfig } from "../model/config.ts";
import { createModel, type DeviceName, internalsOf, type ModelOptions } from "../model/model.ts";
import { ResultQueue } from "../device/results.ts";
import { createTrainer, type TrainerOptions } from "../train/trainer.ts";
import { lineOf } from "./hints.ts";
import type { Job } from "./options.ts";

/** Milliseconds that a measurement takes at least, unless steps are so slow that a few take longer. */
const LEAST = 150;

/** What the library makes a model with; "auto" must have been settled. */
export function modelOptions({ device, ...rest }: Job["device"]): Pick<ModelOptions, "device" | "threads" | "simd"> {
  return { device: device as DeviceName | undefined, ...rest };
}

/**
 * The faster device for a training, measured.
 *
 * @param say Is told both figures.
 */
export async function fasterDevice(
  options: Job["device"],
  config: ModelConfig,
  trainer: TrainerOptions,
  batch: Batch,
  say: (line: string) => void,
): Promise<Job["device"]> {
  const wasm = await stepTime({ ...options, device: "wasm" }, config, trainer, batch);
  let webgpu: number;
  try {
    webgpu = await stepTime({ device: "webgpu" }, config, trainer, batch);
  } catch (error) {
    say(`auto       wasm ${wasm.toFixed(3)} ms per step; ${lineOf(error)}`);
    return { ...options, device: "wasm" };
  }
  const device = webgpu < wasm ? "webgpu" : "wasm";
  say(`auto       wasm ${wasm.toFixed(3)}, webgpu ${webgpu.toFixed(3)} ms per step: ${device}`);
  return device === "wasm" ? { ...options, device } : { device };
}

/** Milliseconds per step. */
async function stepTime(
  options: Job["device"],
  config: ModelConfig,
  trainerOptions: TrainerOptions,
  batch: Batch,
): Promise<number> {
  using model = await createModel(config, modelOptions(options));
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
