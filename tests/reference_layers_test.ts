import assert from "node:assert/strict";
import { Random } from "../core/random.ts";
import {
  elementwise,
  type Form,
  FUNCTIONS,
  layerNorm,
  LOSS_KERNELS,
  type LossSettings,
  lstm,
  pool,
  POOLS,
  rowLoss,
} from "./reference_layers.ts";

/** As in reference_test.ts: half the distance of the points, and what a difference quotient cannot know better. */
const STEP = 1e-5, SMALL = 1e-4;

/** Holds the gradients of a form, of a random weighted sum of its results, to central differences. */
function check({ forward, backward }: Form, sizes: readonly number[]) {
  const random = new Random(3, "data"), draw = (length: number) => Float64Array.from({ length }, () => random.normal());
  const inputs = sizes.map(draw), weights = forward(inputs).map(({ length }) => draw(length));
  const value = () => {
    return forward(inputs).reduce((sum, y, k) => sum + y.reduce((a, v, i) => a + v * weights[k]![i]!, 0), 0);
  };
  const gradients = backward(inputs, weights);
  assert.deepEqual(gradients.map(({ length }) => length), sizes);
  for (const [k, numbers] of inputs.entries()) {
    for (let i = 0; i < numbers.length; i++) {
      const kept = numbers[i]!, points = [STEP, -STEP].map((step) => (numbers[i] = kept + step, value()));
      numbers[i] = kept;
      const slope = (points[0]! - points[1]!) / (2 * STEP), found = gradients[k]![i]!;
      const error = Math.abs(slope - found) / Math.max(Math.abs(slope) + Math.abs(found), SMALL);
      assert.ok(error <= 1e-6, `input ${k}: ${found} at ${i}, the slope is ${slope}`);
    }
  }
}

for (const [T, H] of [[1, 1], [4, 3], [3, 5]] as const) {
  for (const reverse of [false, true]) {
    Deno.test(`gradients agree with central differences: LSTM, ${T} steps, ${H} units, reverse ${reverse}`, () => {
      check(lstm({ T, H, reverse }), [T * 4 * H, 4 * H * H, H, H]);
    });
  }
}

Deno.test("gradients agree with central differences: layer normalization", () => {
  for (const F of [2, 3, 7]) check(layerNorm(1e-2), [F, F, F]);
});

Deno.test("gradients agree with central differences: pooling", () => {
  for (const which of POOLS) check(pool(which, 3), [12]);
});

Deno.test("gradients agree with central differences: elementwise functions", () => {
  for (const name of FUNCTIONS) check(elementwise(name), [7]);
});

/** Settings under which a loss is tested. */
const SETTINGS: { [name in typeof LOSS_KERNELS[number]]?: LossSettings[] } = {
  bceLoss: [{}, { posWeight: [0.3, 2, 5] }],
  binaryFocalLoss: [{ gamma: 0, alpha: -1 }, { gamma: 2, alpha: 0.25 }, { gamma: 0.5, alpha: 0.9 }],
  crossEntropySmoothLoss: [{ smoothing: 0.1 }, { smoothing: 0.3, classWeights: [0.5, 2, 0] }],
  focalLoss: [{ gamma: 0 }, { gamma: 2, alpha: 0.25 }, { gamma: 0.5 }],
  huberLoss: [{ delta: 0.7 }],
  quantileLoss: [{ quantiles: [0.1, 0.5, 0.9] }],
};

for (const name of LOSS_KERNELS) {
  Deno.test(`gradients agree with central differences: ${name}`, () => {
    for (const settings of SETTINGS[name] ?? [{}]) {
      const targets = /rossEntropy|^focal/.test(name) ? [1] : /^b/.test(name) ? [1, 0, 0.3] : [0.4, -1.3, 0.2];
      check(rowLoss(name, targets, settings), [settings.quantiles ? 9 : 3]);
    }
  });
}
