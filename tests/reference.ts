/**
 * The whole model in double precision, as plain loops over one sequence at a time: the mathematics on one page, and what
 * every device is held to. Nothing here is fast, padded or shared with core/.
 *
 * Letters: B batch, T steps, I inputs, H hidden, D = H·directions, O outputs. A name with a d in front is the gradient of
 * the loss by that name.
 */

import type { ModelConfig } from "../core/model/config.ts";
import type { LossName } from "../core/model/losses.ts";

type Numbers = ArrayLike<number>;

/** Numbers in double precision with a shape, row-major. */
export interface Exact {
  shape: readonly number[];
  data: Float64Array<ArrayBuffer>;
}

/** What the public face takes, in any precision. */
export interface ReferenceSequences {
  /** Inputs (B, T, I), or tokens (B, T) of a model with an embedding. */
  x: Numbers;
  shape: readonly number[];
  lengths?: Numbers;
  h0?: Numbers;
}

/** What `Model.gradients` gives, in double precision. */
export interface ReferenceGradients {
  loss: number;
  outputs: { logits: Exact; attentionWeights: Exact; context: Exact; output: Exact; hidden: Exact };
  parameters: Record<string, Exact>;
  inputs: { x: Exact; h0: Exact };
}

/** W·x + b, with W (rows, columns) row-major. */
function linear(W: Numbers, b: Numbers | undefined, x: Numbers): Float64Array {
  const rows = W.length / x.length, y = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    y[i] = b ? b[i]! : 0;
    for (let j = 0; j < x.length; j++) y[i]! += W[i * x.length + j]! * x[j]!;
  }
  return y;
}

/** Backwards: dW += dy·xᵀ, db += dy; returns dx = Wᵀ·dy. */
function linearBackward(W: Numbers, dW: Float64Array, db: Float64Array | undefined, x: Numbers, dy: Numbers) {
  const dx = new Float64Array(x.length);
  for (let i = 0; i < dy.length; i++) {
    if (db) db[i]! += dy[i]!;
    for (let j = 0; j < x.length; j++) {
      dW[i * x.length + j]! += dy[i]! * x[j]!;
      dx[j]! += dy[i]! * W[i * x.length + j]!;
    }
  }
  return dx;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const dot = (a: Numbers, b: Numbers) => Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);
const rows = (count: number, width: number) => Array.from({ length: count }, () => new Float64Array(width));

/** One GRU step, with what its way back needs. */
interface Step {
  x: Numbers;
  h: Numbers;
  r: number[];
  z: number[];
  n: number[];
  hn: number[];
}

/** What one row of logits adds to the loss, before it is weighed, and its gradient. */
function rowLoss(
  name: LossName,
  logits: Numbers,
  target: Numbers,
  rounding: (value: number) => number,
  posWeight: Numbers | undefined,
): { loss: number; dLogits: number[] } {
  const l = Array.from(logits), y = Array.from(target);
  if (name === "bce") {
    // −y·log σ(l) − (1 − y)·log(1 − σ(l)) = max(l, 0) − l·y + log(1 + e^−|l|)
    // With p: −p·y·log σ(l) − (1 − y)·log(1 − σ(l))
    const p = l.map((_, i) => posWeight ? posWeight[i]! : 1), log = (v: number) => Math.log1p(Math.exp(-Math.abs(v)));
    const terms = l.map((v, i) => p[i]! * y[i]! * (Math.max(-v, 0) + log(v)) + (1 - y[i]!) * (Math.max(v, 0) + log(v)));
    const d = l.map(sigmoid).map(rounding).map((s, i) => (1 - y[i]!) * s + p[i]! * y[i]! * (s - 1));
    return { loss: terms.reduce((a, b) => a + b), dLogits: d };
  }
  if (name === "mse") {
    // (l − y)²
    const d = l.map((v, i) => v - y[i]!);
    return { loss: dot(d, d), dLogits: d.map((v) => 2 * v) };
  }
  // −log softmax(l)_y = log Σ e^l − l_y
  const largest = Math.max(...l), sum = l.reduce((a, v) => a + Math.exp(v - largest), 0), label = y[0]!;
  return {
    loss: Math.log(sum) + largest - l[label]!,
    dLogits: l.map((v, i) => rounding(Math.exp(v - largest) / sum) - Number(i === label)),
  };
}

/**
 * The loss of a batch and all its gradients.
 *
 * @param options `dropoutMask` multiplies the context (B, D); `layerMasks[l]` multiplies the output of layer l (B, T, D) on
 * its way to layer l + 1. `weights` (B), `classWeights` (O), `posWeight` (O) weigh the loss. `rounding` is put over every activation: for tests that ask what rounding does to the results.
 */
export function reference(
  config: ModelConfig,
  state: Record<string, { shape: readonly number[]; data: Numbers }>,
  sequences: ReferenceSequences,
  targets: Numbers,
  options: {
    loss: LossName;
    dropoutMask?: Numbers;
    layerMasks?: Numbers[];
    weights?: Numbers;
    classWeights?: Numbers;
    posWeight?: Numbers;
    rounding?: (value: number) => number;
  },
): ReferenceGradients {
  const { inputSize: I, hiddenSize: H, outputSize: O, numLayers = 1, bidirectional = false } = config;
  const { numEmbeddings = 0, paddingIdx } = config, [B, T] = sequences.shape as [number, number];
  const directions = bidirectional ? 2 : 1, D = H * directions, states = numLayers * directions;
  const exact = (...shape: number[]): Exact => ({ shape, data: new Float64Array(shape.reduce((a, b) => a * b)) });
  const out = {
    logits: exact(B, O),
    attentionWeights: exact(B, T),
    context: exact(B, D),
    output: exact(B, T, D),
    hidden: exact(states, B, H),
  };
  const parameters = Object.fromEntries(Object.entries(state).map(([name, { shape }]) => [name, exact(...shape)]));
  const inputs = { x: exact(B, T, I), h0: exact(states, B, H) };
  const p = (name: string) => state[name]?.data as Numbers,
    dp = (name: string) => parameters[name]?.data as Float64Array;
  const suffix = (layer: number, direction: number) => `_l${layer}${direction ? "_reverse" : ""}`;
  const width = targets.length / B, { classWeights, posWeight } = options;
  // Σ w·l / Σ w, where l is the mean over a row's outputs.
  const weights = Array.from({ length: B }, (_, b) => {
    return (options.weights ? options.weights[b]! : 1) * (classWeights ? classWeights[targets[b]!]! : 1);
  });
  const sum = weights.reduce((a, b) => a + b), terms = options.loss === "crossEntropy" ? 1 : O;
  const { rounding = (value) => value } = options, tanh = (x: number) => rounding(Math.tanh(x));
  let loss = 0;

  for (let b = 0; b < B; b++) {
    const length = sequences.lengths ? sequences.lengths[b]! : T;
    // A direction takes the valid steps in its own order; what is behind the length does not exist.
    const order = (direction: number) => Array.from({ length }, (_, s) => direction ? length - 1 - s : s);
    const layerMask = (layer: number, t: number, i: number) => options.layerMasks?.[layer]?.[(b * T + t) * D + i] ?? 1;

    // GRU: r = σ(W_ir x + b_ir + W_hr h + b_hr)    z = σ(W_iz x + b_iz + W_hz h + b_hz)
    //      n = tanh(W_in x + b_in + r ∘ (W_hn h + b_hn))    h' = (1 − z) ∘ n + z ∘ h
    // What a step's inputs are: those given, or the row of its token.
    const from = order(0).map((t) => numEmbeddings ? sequences.x[b * T + t]! : b * T + t);
    const source = numEmbeddings ? p("embedding.weight") : sequences.x;
    let o: Numbers[] = from.map((row) => Array.from({ length: I }, (_, i) => source[row * I + i]!));
    const steps: Step[][] = [];
    const query = new Float64Array(D);
    for (let layer = 0; layer < numLayers; layer++) {
      const x = layer ? o.map((row, t) => Array.from(row, (v, i) => v * layerMask(layer - 1, t, i))) : o;
      const y = rows(length, D);
      for (let direction = 0; direction < directions; direction++) {
        const name = suffix(layer, direction), index = layer * directions + direction, at = (index * B + b) * H;
        let h: Numbers = Array.from({ length: H }, (_, j) => sequences.h0 ? sequences.h0[at + j]! : 0);
        const kept: Step[] = [];
        for (const t of order(direction)) {
          const gi = linear(p(`gru.weight_ih${name}`), p(`gru.bias_ih${name}`), x[t]!);
          const gh = linear(p(`gru.weight_hh${name}`), p(`gru.bias_hh${name}`), h);
          const step: Step = { x: x[t]!, h, r: [], z: [], n: [], hn: [] };
          for (let j = 0; j < H; j++) {
            step.r[j] = rounding(sigmoid(gi[j]! + gh[j]!));
            step.z[j] = rounding(sigmoid(gi[H + j]! + gh[H + j]!));
            step.hn[j] = gh[2 * H + j]!;
            step.n[j] = tanh(gi[2 * H + j]! + step.r[j]! * step.hn[j]!);
            y[t]![direction * H + j] = (1 - step.z[j]!) * step.n[j]! + step.z[j]! * h[j]!;
          }
          kept[t] = step;
          h = y[t]!.slice(direction * H, (direction + 1) * H);
        }
        steps.push(kept);
        out.hidden.data.set(h, at);
        query.set(h, direction * H);
      }
      o = y;
    }
    o.forEach((row, t) => out.output.data.set(row, (b * T + t) * D));

    // Attention: a_t = tanh(W [query; o_t] + b)    s_t = v · a_t    w = softmax(s)    context = Σ_t w_t o_t
    const W = p("attention.attn.weight"), v = p("attention.v.weight");
    const pairs = o.map((row) => [...query, ...Array.from(row)]);
    const a = pairs.map((pair) => linear(W, p("attention.attn.bias"), pair).map(tanh));
    const scores = a.map((row) => dot(v, row)), largest = Math.max(...scores);
    const e = scores.map((s) => Math.exp(s - largest)), total = e.reduce((x, y) => x + y);
    const w = e.map((value) => rounding(value / total));
    out.attentionWeights.data.set(w, b * T);
    const context = Float64Array.from({ length: D }, (_, i) => dot(w, o.map((row) => row[i]!)));
    out.context.data.set(context, b * D);

    // logits = W_fc (mask ∘ context) + b_fc
    const mask = Array.from({ length: D }, (_, i) => options.dropoutMask?.[b * D + i] ?? 1);
    const dropped = context.map((value, i) => value * mask[i]!);
    const logits = linear(p("fc.weight"), p("fc.bias"), dropped);
    out.logits.data.set(logits, b * O);
    const target = Array.from({ length: width }, (_, i) => targets[b * width + i]!);
    const row = rowLoss(options.loss, logits, target, rounding, posWeight), share = weights[b]! / sum / terms;
    loss += row.loss * share;

    // From here on backwards.
    const dLogits = row.dLogits.map((value) => value * share);
    const dContext = linearBackward(p("fc.weight"), dp("fc.weight"), dp("fc.bias"), dropped, dLogits)
      .map((value, i) => value * mask[i]!);

    // dw_t = dcontext · o_t    ds_t = w_t (dw_t − Σ w·dw)    da_t = ds_t v (1 − a_t²)
    const dw = o.map((row) => dot(dContext, row)), mean = dot(w, dw);
    const dQuery = new Float64Array(D), dv = dp("attention.v.weight");
    let dO = w.map((weight) => dContext.map((value) => weight * value));
    for (let t = 0; t < length; t++) {
      const ds = w[t]! * (dw[t]! - mean);
      const da = a[t]!.map((value, i) => ds * v[i]! * (1 - value * value));
      a[t]!.forEach((value, i) => dv[i]! += ds * value);
      const dPair = linearBackward(W, dp("attention.attn.weight"), dp("attention.attn.bias"), pairs[t]!, da);
      for (let i = 0; i < D; i++) {
        dQuery[i]! += dPair[i]!;
        dO[t]![i]! += dPair[D + i]!;
      }
    }

    for (let layer = numLayers - 1; layer >= 0; layer--) {
      const dX = rows(length, layer ? D : I);
      for (let direction = 0; direction < directions; direction++) {
        const name = suffix(layer, direction), index = layer * directions + direction;
        const fromQuery = (j: number) => layer === numLayers - 1 ? dQuery[direction * H + j]! : 0;
        let dh = Float64Array.from({ length: H }, (_, j) => fromQuery(j));
        for (const t of order(direction).reverse()) {
          const { x, h, r, z, n, hn } = steps[index]![t]!;
          const dgi = new Float64Array(3 * H), dgh = new Float64Array(3 * H);
          for (let j = 0; j < H; j++) {
            dh[j]! += dO[t]![direction * H + j]!;
            // tanh' = 1 − n²    σ' = σ(1 − σ)
            const dn = dh[j]! * (1 - z[j]!) * (1 - n[j]! * n[j]!);
            const dz = dh[j]! * (h[j]! - n[j]!) * z[j]! * (1 - z[j]!);
            const dr = dn * hn[j]! * r[j]! * (1 - r[j]!);
            dgi[j] = dgh[j] = dr;
            dgi[H + j] = dgh[H + j] = dz;
            dgi[2 * H + j] = dn;
            dgh[2 * H + j] = dn * r[j]!;
          }
          const ih = `gru.weight_ih${name}`, hh = `gru.weight_hh${name}`;
          const dx = linearBackward(p(ih), dp(ih), dp(`gru.bias_ih${name}`), x, dgi);
          dx.forEach((value, i) => dX[t]![i]! += value);
          const dPrevious = linearBackward(p(hh), dp(hh), dp(`gru.bias_hh${name}`), h, dgh);
          dh = dPrevious.map((value, j) => value + dh[j]! * z[j]!);
        }
        inputs.h0.data.set(dh, (index * B + b) * H);
      }
      dO = layer ? dX.map((row, t) => row.map((value, i) => value * layerMask(layer - 1, t, i))) : dX;
    }
    dO.forEach((row, t) => inputs.x.data.set(row, (b * T + t) * I));
    dO.forEach((row, t) => {
      if (!numEmbeddings || from[t] === paddingIdx) return;
      row.forEach((value, i) => dp("embedding.weight")[from[t]! * I + i]! += value);
    });
  }
  return { loss, outputs: out, parameters, inputs };
}
