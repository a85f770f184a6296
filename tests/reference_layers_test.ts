import assert from "node:assert/strict";
import { Random } from "../core/random.ts";
import { assertClose, largest } from "./close.ts";
import { numbers, type StoredTensors } from "./golden.ts";
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

/** A case of scripts/fixtures/layers.py, as far as it is read here. */
interface LayerCase {
  network: { layers: { type: string; name: string; options?: { hiddenSize?: number; bidirectional?: boolean } }[] };
  losses: { logits: LossSettings & { loss: string; perStep?: boolean; labelSmoothing?: number } };
  params: StoredTensors;
  inputs: StoredTensors;
  float64: { outputs: StoredTensors; param_grads: StoredTensors };
}

const LAYERS = new URL("./testdata/layers/", import.meta.url);
const cases = [...Deno.readDirSync(LAYERS)].map(({ name }) => name.replace(".json", "")).sort();

function readCase(name: string): LayerCase {
  return JSON.parse(Deno.readTextFileSync(new URL(`${name}.json`, LAYERS)));
}

/** Double precision with sums in another order. */
function close(actual: ArrayLike<number>, expected: ArrayLike<number>, about: string) {
  assertClose(actual, expected, 1e-13 * Math.max(1, largest(expected)), about);
}

/** W·x + b. */
function affine(W: Float64Array, b: Float64Array | undefined, x: Float64Array): Float64Array {
  const rows = W.length / x.length;
  return Float64Array.from(
    { length: rows },
    (_, i) => x.reduce((sum, v, j) => sum + W[i * x.length + j]! * v, b?.[i] ?? 0),
  );
}

const KERNEL_OF: { [loss: string]: typeof LOSS_KERNELS[number] } = {
  bce: "bceLoss",
  binaryFocal: "binaryFocalLoss",
  crossEntropy: "crossEntropySmoothLoss",
  focal: "focalLoss",
  mse: "mseLoss",
  mae: "maeLoss",
  huber: "huberLoss",
  quantile: "quantileLoss",
};

for (const name of cases.filter((name) => name.startsWith("loss-"))) {
  Deno.test(`the reference agrees with PyTorch in double precision: ${name}`, () => {
    const { losses: { logits: loss }, inputs, float64 } = readCase(name), kernel = KERNEL_OF[loss.loss]!;
    const settings = { ...loss, smoothing: loss.labelSmoothing ?? 0 }, { logits, loss: expected } = float64.outputs;
    const x = numbers((inputs.v ?? inputs.x)!), y = numbers(inputs["targets.logits"]!), O = logits!.shape.at(-1)!;
    const [B, T] = loss.perStep ? logits!.shape as [number, number] : [logits!.shape[0]!, 1], rows = B * T;
    const values = numbers(logits!), I = x.length / rows, width = y.length / rows;
    const lengths = inputs.lengths && numbers(inputs.lengths), weights = inputs.weights && numbers(inputs.weights);
    const db = new Float64Array(O), dW = new Float64Array(O * I);
    let sum = 0, weight = 0;
    for (let row = 0; row < rows; row++) {
      const b = Math.floor(row / T), target = y.slice(row * width, (row + 1) * width), s = weights?.[b] ?? 1;
      if (row % T >= (lengths?.[b] ?? T)) continue;
      const form = rowLoss(kernel, target, settings), l = values.slice(row * O, (row + 1) * O);
      const terms = /crossEntropy|^focal/.test(loss.loss) ? 1 : O;
      sum += s * form.forward([l])[0]![0]! / terms, weight += s * (loss.classWeights?.[target[0]!] ?? 1);
      form.backward([l], [Float64Array.of(s / terms)])[0]!.forEach((d, o) => {
        db[o]! += d;
        for (let i = 0; i < I; i++) dW[o * I + i]! += d * x[row * I + i]!;
      });
    }
    close([sum / weight], numbers(expected!), "loss");
    close(db.map((d) => d / weight), numbers(float64.param_grads["fc.bias"]!), "fc.bias");
    close(dW.map((d) => d / weight), numbers(float64.param_grads["fc.weight"]!), "fc.weight");
  });
}

for (const name of cases.filter((name) => /^lstm(?!.*-2$|-no-bias)/.test(name))) {
  Deno.test(`the reference agrees with PyTorch in double precision: ${name}`, () => {
    const { network, params, inputs, float64: { outputs } } = readCase(name);
    const { hiddenSize: H, bidirectional } = network.layers[1]!.options!, [B, T, I] = inputs.x!.shape as number[];
    const x = numbers(inputs.x!), D = H! * (bidirectional ? 2 : 1);
    const states = ["h0", "c0"].map((state) => inputs[`lstm.${state}`] && numbers(inputs[`lstm.${state}`]!));
    for (let b = 0; b < B!; b++) {
      const length = inputs.lengths ? numbers(inputs.lengths)[b]! : T!;
      for (const [direction, suffix] of ["", "_reverse"].slice(0, D / H!).entries()) {
        const p = (kind: string) => numbers(params[`lstm.${kind}_l0${suffix}`]!), place = (direction * B! + b) * H!;
        const bias = p("bias_ih").map((v, i) => v + p("bias_hh")[i]!);
        const steps = Array.from(
          { length },
          (_, t) => affine(p("weight_ih"), bias, x.slice((b * T! + t) * I!, (b * T! + t + 1) * I!)),
        );
        const [h0, c0] = states.map((state) => state?.slice(place, place + H!) ?? new Float64Array(H!));
        const form = lstm({ T: length, H: H!, reverse: direction === 1 });
        const [h, c] = form.forward([Float64Array.from(steps.flatMap((row) => [...row])), p("weight_hh"), h0!, c0!]);
        const output = numbers(outputs.output!), about = `row ${b}, direction ${direction}`;
        for (let t = 0; t < length; t++) {
          const at = (b * T! + t) * D + direction * H!;
          close(h!.slice(t * H!, (t + 1) * H!), output.slice(at, at + H!), `step ${t}, ${about}`);
        }
        close(c!, numbers(outputs.cell!).slice(place, place + H!), `cell, ${about}`);
      }
    }
  });
}

for (const name of POOLS) {
  Deno.test(`the reference agrees with PyTorch in double precision: pooling, ${name}`, () => {
    const { params, inputs, float64: { outputs } } = readCase(`pool-${name}`), lengths = numbers(inputs.lengths!);
    const [B, T, D] = outputs.states!.shape as [number, number, number], states = numbers(outputs.states!);
    for (let b = 0; b < B; b++) {
      const [row] = pool(name, D).forward([states.slice(b * T * D, (b * T + lengths[b]!) * D)]);
      const logits = affine(numbers(params["fc.weight"]!), numbers(params["fc.bias"]!), row!);
      close(logits, numbers(outputs.logits!).slice(2 * b, 2 * b + 2), `row ${b}`);
    }
  });
}

Deno.test("the reference agrees with PyTorch in double precision: layer normalization", () => {
  const { params, inputs, float64: { outputs } } = readCase("layer-norm-steps"),
    [B, T, F] = inputs.x!.shape as number[];
  const [gamma, beta] = [numbers(params["norm.weight"]!), numbers(params["norm.bias"]!)],
    lengths = numbers(inputs.lengths!);
  for (let row = 0; row < B! * T!; row++) {
    const x = numbers(inputs.x!).slice(row * F!, (row + 1) * F!), valid = row % T! < lengths[Math.floor(row / T!)]!;
    const [y] = layerNorm(1e-5).forward([x, gamma, beta]),
      normal = numbers(outputs.normal!).slice(row * F!, (row + 1) * F!);
    close(valid ? y! : new Float64Array(F!), normal, `row ${row}`);
  }
});
