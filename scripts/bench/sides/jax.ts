/**
 * jax-js on WebAssembly as a side of the benchmarks: see scripts/bench/protocol.ts.
 *
 * The whole step, Adam included, is one jitted function. There is no scan, so the steps in time are written out. With
 * one thread results are read synchronously, which is several times faster than waiting for them: nothing then passes
 * through promises. With several, jax-js hands every kernel to its workers by message.
 *
 * @module
 */

import { serve, type Trainee } from "../protocol.ts";
import type { Work } from "../work.ts";

const VERSION = "0.1.25";

/** An array of jax-js; every use but the last takes `.ref`. */
// deno-lint-ignore no-explicit-any
type Value = any;

async function train({ size, parameters, x, targets }: Work, threads: number): Promise<Trainee> {
  const { B, T, I, H, O, layers } = size, names = Object.keys(parameters);
  // jax-js takes all cores where there are workers, and one where there are none.
  if (threads === 1) Reflect.deleteProperty(globalThis, "Worker");
  // A name put together at run time keeps the package out of the project's lock file and of its type checks.
  const jax = await import(`npm:@jax-js/jax@${VERSION}`);
  const { numpy: np, nn, jit, valueAndGrad, blockUntilReady, tree } = jax;

  const linear = (x: Value, weight: Value, bias?: Value): Value => {
    const y = np.matmul(x, np.transpose(weight));
    return bias ? y.add(bias) : y;
  };

  const gru = (inputs: Value[], p: Record<string, Value>, layer: number): Value[] => {
    const [wih, whh, bih, bhh] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map((name) =>
      p[`gru.${name}_l${layer}`]
    );
    let h = np.zeros([B, H]);
    const states = inputs.map((x) => {
      const [rInput, zInput, nInput] = np.split(linear(x, wih.ref, bih.ref), 3, 1);
      const [rHidden, zHidden, nHidden] = np.split(linear(h.ref, whh.ref, bhh.ref), 3, 1);
      const r = nn.sigmoid(rInput.add(rHidden)), z = nn.sigmoid(zInput.add(zHidden));
      const n = np.tanh(nInput.add(r.mul(nHidden)));
      h = n.ref.add(z.mul(h.sub(n)));
      return h.ref;
    });
    tree.dispose([h, wih, whh, bih, bhh]);
    return states;
  };

  const loss = (p: Record<string, Value>, inputs: Value[], y: Value): Value => {
    let states = inputs;
    for (let layer = 0; layer < layers; layer++) states = gru(states, p, layer);
    const [wQuery, wOutputs] = np.split(p["attention.attn.weight"], [H], 1);
    const asked = linear(states.at(-1).ref, wQuery, p["attention.attn.bias"]);
    const outputs = np.stack(states, 0);
    const answers = linear(outputs.ref.reshape([T * B, H]), wOutputs).reshape([T, B, H]);
    const scores = linear(np.tanh(answers.add(asked)).reshape([T * B, H]), p["attention.v.weight"]);
    const context = nn.softmax(scores.reshape([T, B, 1]), 0).mul(outputs).sum(0);
    const logits = linear(context, p["fc.weight"], p["fc.bias"]);
    // −y·log σ(l) − (1 − y)·log(1 − σ(l)) = softplus(l) − l·y
    return nn.softplus(logits.ref).sub(logits.mul(y)).mean();
  };

  const lossAndGradients = valueAndGrad(loss);
  const backward = jit((p: Value, inputs: Value, y: Value) => lossAndGradients(p, inputs, y));
  const update = jit((p: Value, m: Value, v: Value, corrections: Value, inputs: Value, y: Value) => {
    const [value, gradients] = lossAndGradients(tree.ref(p), inputs, y);
    const corrected = corrections.ref.slice(0), corrected2 = corrections.slice(1);
    const next: Record<string, Value>[] = [{}, {}, {}];
    for (const name of names) {
      const g = gradients[name];
      const m1 = m[name].mul(0.9).add(g.ref.mul(0.1)), v1 = v[name].mul(0.999).add(g.ref.mul(g).mul(0.001));
      const denominator = np.sqrt(v1.ref.mul(corrected2.ref)).add(1e-8);
      next[0]![name] = p[name].sub(m1.ref.mul(corrected.ref).div(denominator).mul(1e-3));
      next[1]![name] = m1;
      next[2]![name] = v1;
    }
    tree.dispose([corrected, corrected2]);
    return [value, ...next];
  });

  let p: Value = {}, m: Value = {}, v: Value = {};
  for (const [name, { shape, data }] of Object.entries(parameters)) {
    p[name] = np.array(data).reshape([...shape]);
    m[name] = np.zeros([...shape]);
    v[name] = np.zeros([...shape]);
  }
  // An array for each step in time: slices of one array would cost a pass over it each.
  const inputs = Array.from({ length: T }, (_, t) => {
    const rows = new Float32Array(B * I);
    for (let b = 0; b < B; b++) rows.set(x.subarray((b * T + t) * I, (b * T + t + 1) * I), b * I);
    return np.array(rows).reshape([B, I]);
  });
  const y = np.array(targets).reshape([B, O]);
  const read = async (value: Value): Promise<Float32Array> => threads === 1 ? value.dataSync() : await value.data();
  let last: Value, steps = 0;
  return {
    about: `WebAssembly, jit, ${
      threads === 1 ? "1 thread, synchronous" : `${navigator.hardwareConcurrency} threads`
    }, in Deno`,
    versions: { "jax-js": VERSION },
    async gradients() {
      const [value, gradients] = backward(tree.ref(p), tree.ref(inputs), y.ref);
      const read1 = async (name: string) => [name, await read(gradients[name])] as const;
      const all: (readonly [string, Float32Array])[] = [];
      for (const name of names) all.push(await read1(name));
      return { loss: (await read(value))[0]!, gradients: Object.fromEntries(all) };
    },
    step() {
      steps++;
      last?.dispose();
      const corrections = np.array(Float32Array.of(1 / (1 - 0.9 ** steps), 1 / (1 - 0.999 ** steps)));
      [last, p, m, v] = update(p, m, v, corrections, tree.ref(inputs), y.ref);
      // What is pending runs when a result is asked for: with the loss, all of the step.
      if (threads > 1) return blockUntilReady([last, p, m, v]);
      last.ref.dataSync();
    },
    loss: async () => (await read(last.ref))[0]!,
  };
}

await serve({ train });
