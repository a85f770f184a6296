/**
 * Layers and losses of one sequence or one row in double precision, forward and backward, as plain loops: what their
 * kernels are held to. Nothing here is fast, padded or shared with core/.
 */

type Numbers = Float64Array;

/** A function of several arrays, and its gradients: `backward` takes what forward took and the gradients of its results. */
export interface Form {
  forward(inputs: readonly Numbers[]): Numbers[];
  backward(inputs: readonly Numbers[], gradients: readonly Numbers[]): Numbers[];
}

export const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const zeros = (length: number): Numbers => new Float64Array(length);
const sumOf = (numbers: Numbers) => numbers.reduce((a, b) => a + b, 0);

/**
 * torch.nn.LSTM over T steps. Takes what inputs and biases give to the gates i, f, g, o (T, 4·H), W_hh (4·H, H), the initial
 * h and c (H); gives h after every step (T, H) and the last c (H).
 */
export function lstm({ T, H, reverse }: { T: number; H: number; reverse: boolean }): Form {
  const order = Array.from({ length: T }, (_, s) => reverse ? T - 1 - s : s);
  const run = ([x, W, h0, c0]: readonly Numbers[]) => {
    let h = h0!, c = c0!;
    const steps = order.map((t) => {
      const sums = Array.from({ length: 4 * H }, (_, m) => {
        return h.reduce((sum, value, k) => sum + W![m * H + k]! * value, x![t * 4 * H + m]!);
      });
      const [i, f, o] = [0, 1, 3].map((gate) => Float64Array.from(sums.slice(gate * H, gate * H + H), sigmoid));
      const g = Float64Array.from(sums.slice(2 * H, 3 * H), Math.tanh);
      const next = c.map((value, j) => f![j]! * value + i![j]! * g[j]!);
      const step = { t, before: h, i: i!, f: f!, g, o: o!, c, next };
      h = next.map((value, j) => o![j]! * Math.tanh(value)), c = next;
      return { ...step, h };
    });
    return { steps, c };
  };
  return {
    forward(inputs) {
      const { steps, c } = run(inputs), all = zeros(T * H);
      for (const { t, h } of steps) all.set(h, t * H);
      return [all, c];
    },
    backward(inputs, [dAll, dLast]) {
      const { steps } = run(inputs), W = inputs[1]!, dx = zeros(T * 4 * H), dW = zeros(4 * H * H);
      const dc = dLast!.slice();
      let dh = zeros(H);
      for (const { t, before, i, f, g, o, c, next } of steps.reverse()) {
        const dGates = zeros(4 * H), passed = zeros(H);
        for (let j = 0; j < H; j++) {
          const y = Math.tanh(next[j]!), d = dh[j]! + dAll![t * H + j]!;
          const dState = dc[j]! + d * o[j]! * (1 - y * y);
          dGates[j] = dState * g[j]! * i[j]! * (1 - i[j]!);
          dGates[H + j] = dState * c[j]! * f[j]! * (1 - f[j]!);
          dGates[2 * H + j] = dState * i[j]! * (1 - g[j]! * g[j]!);
          dGates[3 * H + j] = d * y * o[j]! * (1 - o[j]!);
          dc[j] = dState * f[j]!;
        }
        for (let m = 0; m < 4 * H; m++) {
          for (let k = 0; k < H; k++) {
            dW[m * H + k]! += dGates[m]! * before[k]!;
            passed[k]! += W[m * H + k]! * dGates[m]!;
          }
        }
        dx.set(dGates, t * 4 * H), dh = passed;
      }
      return [dx, dW, dh, dc];
    },
  };
}

/** Layer normalization of one row: takes x, gamma and beta (F), gives y (F). */
export function layerNorm(eps: number): Form {
  const parts = (x: Numbers) => {
    const mean = sumOf(x) / x.length, variance = sumOf(x.map((v) => (v - mean) ** 2)) / x.length;
    const factor = 1 / Math.sqrt(variance + eps);
    return { mean, factor, normal: x.map((v) => (v - mean) * factor) };
  };
  return {
    forward: ([x, gamma, beta]) => [parts(x!).normal.map((v, f) => v * gamma![f]! + beta![f]!)],
    backward([x, gamma], [dy]) {
      const { factor, normal } = parts(x!), d = dy!.map((v, f) => v * gamma![f]!), F = x!.length;
      const mean = sumOf(d) / F, along = sumOf(d.map((v, f) => v * normal[f]!)) / F;
      return [d.map((v, f) => factor * (v - mean - normal[f]! * along)), dy!.map((v, f) => v * normal[f]!), dy!];
    },
  };
}

export const POOLS = ["last", "mean", "max"] as const;

/** Pooling over all T steps of x (T, F), to y (F). */
export function pool(which: typeof POOLS[number], F: number): Form {
  const shares = (x: Numbers, f: number) => {
    const column = Array.from({ length: x.length / F }, (_, t) => x[t * F + f]!);
    if (which === "mean") return column.map(() => 1 / column.length);
    const at = which === "last" ? column.length - 1 : column.indexOf(Math.max(...column));
    return column.map((_, t) => Number(t === at));
  };
  const features = Array.from({ length: F }, (_, f) => f);
  return {
    forward: ([x]) => [
      Float64Array.from(features, (f) => shares(x!, f).reduce((sum, s, t) => sum + s * x![t * F + f]!, 0)),
    ],
    backward([x], [dy]) {
      const dx = zeros(x!.length);
      for (const f of features) shares(x!, f).forEach((s, t) => dx[t * F + f] = s * dy![f]!);
      return [dx];
    },
  };
}

export const FUNCTIONS = ["tanh", "relu", "sigmoid"] as const;

/** A function of each number by itself. */
export function elementwise(name: typeof FUNCTIONS[number]): Form {
  const of = { tanh: Math.tanh, relu: (x: number) => Math.max(x, 0), sigmoid }[name];
  const slope = {
    tanh: (x: number) => 1 - Math.tanh(x) ** 2,
    relu: (x: number) => Number(x > 0),
    sigmoid: (x: number) => sigmoid(x) * sigmoid(-x),
  }[name];
  return {
    forward: ([x]) => [x!.map(of)],
    backward: ([x], [dy]) => [dy!.map((d, i) => d * slope(x![i]!))],
  };
}

/** What a loss takes besides logits and targets, in the terms of PyTorch. */
export interface LossSettings {
  readonly posWeight?: ArrayLike<number>;
  readonly classWeights?: ArrayLike<number>;
  /** Of Huber's loss. */
  readonly delta?: number;
  readonly quantiles?: ArrayLike<number>;
  readonly smoothing?: number;
  /** Of the focal losses. */
  readonly gamma?: number;
  readonly alpha?: number;
}

export const LOSS_KERNELS = [
  "bceLoss",
  "binaryFocalLoss",
  "crossEntropyLoss",
  "crossEntropySmoothLoss",
  "focalLoss",
  "mseLoss",
  "maeLoss",
  "huberLoss",
  "quantileLoss",
] as const;

type Term = { term: number; slope: number };

/** −log σ(l). */
const missed = (l: number) => Math.log1p(Math.exp(-Math.abs(l))) + Math.max(-l, 0);

/** Losses of each output by itself: output o, its target and quantile. */
const BY_OUTPUT: { [name: string]: (l: number, y: number, settings: LossSettings, o: number) => Term } = {
  bceLoss: (l, y, { posWeight }, o) => {
    const p = posWeight?.[o] ?? 1;
    return { term: p * y * missed(l) + (1 - y) * missed(-l), slope: (1 - y) * sigmoid(l) - p * y * sigmoid(-l) };
  },
  binaryFocalLoss: (l, y, { gamma = 2, alpha = -1 }) => {
    const miss = y * sigmoid(-l) + (1 - y) * sigmoid(l), bce = y * missed(l) + (1 - y) * missed(-l);
    const factor = alpha < 0 ? 1 : alpha * y + (1 - alpha) * (1 - y), dMiss = (1 - 2 * y) * sigmoid(l) * sigmoid(-l);
    const dBce = (1 - y) * sigmoid(l) - y * sigmoid(-l);
    return {
      term: factor * bce * miss ** gamma,
      slope: factor * (dBce * miss ** gamma + (gamma && bce * gamma * miss ** (gamma - 1) * dMiss)),
    };
  },
  mseLoss: (l, y) => ({ term: (l - y) ** 2, slope: 2 * (l - y) }),
  maeLoss: (l, y) => ({ term: Math.abs(l - y), slope: Math.sign(l - y) }),
  huberLoss: (l, y, { delta = 1 }) => {
    const d = l - y, far = Math.abs(d) > delta;
    return { term: far ? delta * (Math.abs(d) - delta / 2) : d * d / 2, slope: far ? delta * Math.sign(d) : d };
  },
  quantileLoss: (l, y, { quantiles }, o) => {
    const q = quantiles![o % quantiles!.length]!, d = y - l;
    return { term: Math.max(q * d, (q - 1) * d), slope: d > 0 ? -q : d < 0 ? 1 - q : 0.5 - q };
  },
};

/** Losses of a class: p is the softmax of the logits. */
const BY_CLASS: {
  [name: string]: (logits: Numbers, y: number, settings: LossSettings) => { term: number; d: Numbers };
} = {
  crossEntropyLoss: (logits, y) => smoothed(logits, y, {}),
  crossEntropySmoothLoss: (logits, y, settings) => smoothed(logits, y, settings),
  focalLoss: (logits, y, { gamma = 2, alpha = 1 }) => {
    const { p, nll } = softmax(logits), rest = sumOf(p.filter((_, k) => k !== y));
    // dq^γ = −γ·q^(γ − 1)·dp, dp = p·(onehot − softmax)
    const slope = rest ** gamma + (gamma && rest && gamma * rest ** (gamma - 1) * p[y]! * nll[y]!);
    return {
      term: alpha * rest ** gamma * nll[y]!,
      d: p.map((v, k) => alpha * slope * (k === y ? -rest : v)),
    };
  },
};

function softmax(logits: Numbers) {
  const largest = Math.max(...logits), e = logits.map((l) => Math.exp(l - largest)), top = logits.indexOf(largest);
  const log = Math.log1p(sumOf(e.filter((_, k) => k !== top)));
  return { p: e.map((v) => v / sumOf(e)), nll: logits.map((l) => log + (largest - l)) };
}

function smoothed(logits: Numbers, y: number, { smoothing = 0, classWeights }: LossSettings) {
  const { p, nll } = softmax(logits), c = Float64Array.from(logits, (_, k) => classWeights?.[k] ?? 1);
  const target = c.map((w, k) => w * (Number(k === y) * (1 - smoothing) + smoothing / c.length));
  const total = sumOf(target);
  return { term: target.reduce((sum, t, k) => sum + t * nll[k]!, 0), d: p.map((v, k) => v * total - target[k]!) };
}

/** A loss kernel's term of one row: takes the logits, gives one number, summed over outputs, neither scaled nor weighed. */
export function rowLoss(name: typeof LOSS_KERNELS[number], targets: ArrayLike<number>, settings: LossSettings): Form {
  const own = BY_OUTPUT[name], each = settings.quantiles?.length ?? 1;
  const byOutput = (logits: Numbers) =>
    Array.from(logits, (l, o) => own!(l, targets[Math.floor(o / each)]!, settings, o));
  const byClass = (logits: Numbers) => BY_CLASS[name]!(logits, targets[0]!, settings);
  return {
    forward: ([logits]) => [
      Float64Array.of(own ? byOutput(logits!).reduce((sum, { term }) => sum + term, 0) : byClass(logits!).term),
    ],
    backward: ([logits], [d]) => [
      (own ? Float64Array.from(byOutput(logits!), ({ slope }) => slope) : byClass(logits!).d).map((v) => v * d![0]!),
    ],
  };
}

/** Whether a row counts as right. */
export function isRight(name: typeof LOSS_KERNELS[number], logits: Numbers, targets: ArrayLike<number>): boolean {
  const top = (numbers: ArrayLike<number>) => Array.from(numbers).indexOf(Math.max(...Array.from(numbers)));
  if (name in BY_CLASS) return top(logits) === targets[0];
  if (name !== "bceLoss" && name !== "binaryFocalLoss") return false;
  return logits.length > 1 ? top(logits) === top(targets) : (logits[0]! > 0) === (targets[0]! > 0.5);
}
