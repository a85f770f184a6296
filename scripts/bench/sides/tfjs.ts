/**
 * TensorFlow.js on its WebAssembly backend as a side of the benchmarks: see scripts/bench/protocol.ts.
 *
 * `tf.layers.gru` cannot compute PyTorch's GRU (`resetAfter` is not supported), so the model is written in tensor
 * operations, as few as they allow: one product for the inputs of all steps, one for each step's state, both with fused
 * bias, and the two sigmoid gates side by side. The backend uses SIMD; threads it has in browsers only.
 *
 * The library's own gradient of a product is two products with one side transposed, for which this backend has only a
 * slow loop. With `--own-gradients` that gradient is written by hand with `tf.customGrad` instead, turning first: 2 to
 * 3 times faster where the model is not tiny.
 *
 * @module
 */

import { serve, type Trainee } from "../protocol.ts";
import type { Work } from "../work.ts";

const VERSION = "4.22.0";
const OWN_GRADIENTS = Deno.args.includes("--own-gradients");

// A name put together at run time keeps these packages out of the project's lock file and of its type checks.
// deno-lint-ignore no-explicit-any
const load = (name: string): Promise<any> => import(`npm:@tensorflow/${name}@${VERSION}`);
const tf = await load("tfjs");
await load("tfjs-backend-wasm");

/** A tensor or a variable of TensorFlow.js. */
// deno-lint-ignore no-explicit-any
type Tensor = any;

/** x·W + b, or x·W, with the library's gradient or with one whose products are plain. */
function product(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const forward = (x: Tensor, weight: Tensor, bias?: Tensor) => tf.fused.matMul({ a: x, b: weight, bias });
  if (!OWN_GRADIENTS) return forward(x, weight, bias);
  const byHand = tf.customGrad((...args: Tensor[]) => {
    const [x, weight, bias] = args.slice(0, -1), save = args.at(-1);
    save([x, weight]);
    const gradFunc = (dy: Tensor, [x, weight]: Tensor[]) => [
      tf.matMul(dy, tf.transpose(weight)),
      tf.matMul(tf.transpose(x), dy),
      ...bias ? [tf.sum(dy, 0)] : [],
    ];
    return { value: forward(x, weight, bias), gradFunc };
  });
  return bias ? byHand(x, weight, bias) : byHand(x, weight);
}

/** y = x·Wᵀ + b. The weight is turned first: with `transposeB` and a bias the fused product here is wrong. */
function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  return product(x, tf.transpose(weight), bias);
}

/** One GRU layer: the states of all steps, from the inputs of all steps (T·B, I). */
function gru(x: Tensor, p: Record<string, Tensor>, layer: number, { B, T, H }: Work["size"]): Tensor[] {
  const input = tf.reshape(
    linear(x, p[`gru.weight_ih_l${layer}`], p[`gru.bias_ih_l${layer}`]),
    [T, B, 3 * H],
  );
  const weight = tf.transpose(p[`gru.weight_hh_l${layer}`]), bias = p[`gru.bias_hh_l${layer}`];
  const states: Tensor[] = [];
  let h = tf.zeros([B, H]);
  for (const step of tf.unstack(input)) {
    const [rzInput, nInput] = tf.split(step, [2 * H, H], 1);
    const hidden = product(h, weight, bias);
    const [rzHidden, nHidden] = tf.split(hidden, [2 * H, H], 1);
    const [r, z] = tf.split(tf.sigmoid(tf.add(rzInput, rzHidden)), 2, 1);
    const n = tf.tanh(tf.add(nInput, tf.mul(r, nHidden)));
    h = tf.add(n, tf.mul(z, tf.sub(h, n)));
    states.push(h);
  }
  return states;
}

function logits(x: Tensor, p: Record<string, Tensor>, size: Work["size"]): Tensor {
  const { B, T, H, layers } = size;
  let states: Tensor[] = [], outputs = x;
  for (let layer = 0; layer < layers; layer++) {
    states = gru(outputs, p, layer, size);
    outputs = tf.concat(states, 0);
  }
  const weight = p["attention.attn.weight"];
  const asked = linear(states.at(-1), tf.slice(weight, [0, 0], [H, H]), p["attention.attn.bias"]);
  const answers = tf.reshape(linear(outputs, tf.slice(weight, [0, H], [H, H])), [T, B, H]);
  const scores = linear(tf.reshape(tf.tanh(tf.add(answers, asked)), [T * B, H]), p["attention.v.weight"]);
  // softmax works on the last dimension only.
  const weights = tf.transpose(tf.softmax(tf.transpose(tf.reshape(scores, [T, B]))));
  const context = tf.sum(tf.mul(tf.reshape(outputs, [T, B, H]), tf.reshape(weights, [T, B, 1])), 0);
  return linear(context, p["fc.weight"], p["fc.bias"]);
}

async function train({ size, parameters, x, targets }: Work): Promise<Trainee> {
  await tf.setBackend("wasm");
  if (tf.getBackend() !== "wasm") throw new Error("the WebAssembly backend does not start");
  const { B, T, I, O } = size;
  const p = Object.fromEntries(
    Object.entries(parameters).map((
      [name, { shape, data }],
    ) => [name, tf.variable(tf.tensor(data, [...shape]), true, name)]),
  );
  const batch = tf.tidy(() => tf.reshape(tf.transpose(tf.tensor(x, [B, T, I]), [1, 0, 2]), [T * B, I]));
  const labels = tf.tensor(targets, [B, O]);
  const loss = () => tf.losses.sigmoidCrossEntropy(labels, logits(batch, p, size));
  const optimizer = tf.train.adam(1e-3, 0.9, 0.999, 1e-8);
  let last: Tensor;
  const simd = await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT");
  return {
    about: `WebAssembly backend, ${simd ? "SIMD" : "no SIMD"}, 1 thread, in Deno${
      OWN_GRADIENTS ? ", gradients of products by hand" : ""
    }`,
    versions: { tfjs: tf.version.tfjs },
    // deno-lint-ignore require-await -- the other sides have to wait
    async gradients() {
      const { value, grads } = tf.variableGrads(loss);
      const gradients = Object.fromEntries(
        Object.entries(grads as Record<string, Tensor>).map(([name, gradient]) => [name, gradient.dataSync()]),
      );
      const result = { loss: value.dataSync()[0], gradients };
      tf.dispose([value, grads]);
      return result;
    },
    step() {
      last?.dispose();
      // minimize() tidies up behind itself.
      last = optimizer.minimize(loss, true);
    },
    loss: () => last.dataSync()[0],
    memory: () => ({ tensors: tf.memory().numBytes }),
  };
}

await serve({ train });
