/**
 * The work that every side of the benchmarks does: the sizes, the initial parameters and the batch, and what a step
 * costs.
 *
 * @module
 */

import { createModel, type ModelConfig, type StateDict } from "../../mod.ts";
import { classifier, LOGITS, resolveConfig } from "../../core/model/config.ts";
import { PlacedNetwork } from "../../core/model/placed_network.ts";
import { makePlan, type ModelPlan, type PlanOptions } from "../../core/model/plan.ts";
import { Random } from "../../core/random.ts";
import { type OptimizerOptions, updateSpec } from "../../core/train/optimizer.ts";

/** B sequences of T steps of I numbers; `layers` GRU layers of H; O outputs. */
export interface Size {
  readonly B: number;
  readonly T: number;
  readonly I: number;
  readonly H: number;
  readonly layers: number;
  readonly O: number;
}

/** From the sample job's to one at which the weights of a layer no longer fit the caches next to a core. */
export const SIZES: { readonly [name: string]: Size } = {
  S1: { B: 32, T: 10, I: 5, H: 10, layers: 1, O: 2 },
  S2: { B: 32, T: 50, I: 16, H: 64, layers: 1, O: 2 },
  S3: { B: 64, T: 64, I: 32, H: 128, layers: 1, O: 2 },
  S4: { B: 64, T: 100, I: 64, H: 256, layers: 2, O: 2 },
  S5: { B: 64, T: 128, I: 128, H: 512, layers: 2, O: 2 },
};

/** A model of a size, without dropout. */
export function configOf({ I, H, O, layers }: Size): ModelConfig {
  return { inputSize: I, hiddenSize: H, outputSize: O, numLayers: layers };
}

/**
 * The floating-point operations that a step cannot do without: those of the matrix products, a multiply-add being two.
 * A product of the forward pass comes back twice, for the gradients of its weight and of its input; nobody wants that
 * of the first layer's input. The attention is taken apart: W·[query; output] = W₁·query, once per sequence, +
 * W₂·output.
 */
export function stepFlops({ B, T, I, H, layers, O }: Size): number {
  let perTimeStep = 0;
  for (let layer = 0; layer < layers; layer++) perTimeStep += layer ? 3 * 3 * H * H : 2 * 3 * H * I;
  perTimeStep += layers * 3 * 3 * H * H + 3 * H * H;
  const perSequence = 3 * H * H + 3 * H * O;
  return 2 * B * (T * perTimeStep + perSequence);
}

/** The plan of a training step of a size, and the network that it is for. */
export function stepPlan(
  size: Size,
  optimizer: OptimizerOptions,
  { clipNorm, ...options }: PlanOptions & { readonly clipNorm?: number },
): { readonly net: PlacedNetwork; readonly plan: ModelPlan } {
  const { B, T } = size, net = new PlacedNetwork(classifier(resolveConfig(configOf(size))));
  const losses = [{ output: LOGITS, loss: "bce", settings: {} }] as const, update = updateSpec(optimizer, { clipNorm });
  return { net, plan: makePlan(net, { B, T, task: { purpose: "step", losses, update } }, options) };
}

/** What a side is given: the same for all. */
export interface Work {
  readonly size: Size;
  readonly parameters: StateDict;
  /** (B, T, I), normal. */
  readonly x: Float32Array<ArrayBuffer>;
  /** (B, O), one-hot. */
  readonly targets: Float32Array<ArrayBuffer>;
}

/** The work of a size: random, and the same every time. */
export async function workOf(size: Size): Promise<Work> {
  using model = await createModel(configOf(size), { seed: 1, threads: 1 });
  const random = new Random(1, "data"), { B, T, I, O } = size;
  const x = Float32Array.from({ length: B * T * I }, () => random.normal()), targets = new Float32Array(B * O);
  for (let b = 0; b < B; b++) targets[b * O + random.below(O)] = 1;
  return { size, parameters: await model.stateDict(), x, targets };
}
