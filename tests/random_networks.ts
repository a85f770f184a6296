/** Networks of layers chosen at random, with losses and a batch. */

import type { Network } from "../core/model/network.ts";
import { resolveNetwork } from "../core/model/network.ts";
import { LOSSES, type LossName, type LossSettings, targetWidth } from "../core/model/losses.ts";
import type { Shape } from "../core/model/layers/node.ts";
import type { Sequences, Targets } from "../core/model/batch.ts";
import { Random } from "../core/random.ts";
import { normals } from "./batches.ts";

/** What a network is tried with. */
export interface Trial {
  readonly network: Network;
  readonly losses: Readonly<Record<string, { loss: LossName; weight?: number } & LossSettings>>;
  readonly sequences: Sequences & { readonly lengths: Int32Array };
  readonly targets: Readonly<Record<string, Targets>>;
  readonly weights?: Float32Array;
  /** Of the first dropout layer. */
  readonly dropoutMask?: Float32Array;
}

/** Groups of 16 numbers have gaps between them. */
const WIDTHS = [3, 1, 5, 2, 7, 16, 13];
const SMOOTH = ["mse", "huber", "bce", "quantile", "binaryFocal", "mae", "crossEntropy", "focal"] as const;

type Layer = { type: string; name: string; inputs?: Record<string, string>; options?: Record<string, unknown> };

/** Builds a network from a stream of choices; where they have run out the first is taken, so that fewer are simpler. */
export function makeTrial(choices: readonly number[], seed: number): Trial {
  let at = 0;
  const choose = (count: number) => (choices[at++] ?? 0) % count;
  const pick = <T>(list: readonly T[]): T => list[choose(list.length)]!;
  const layers: Layer[] = [], values: { source: string; kind: string; size: number }[] = [], read = new Set<string>();
  const add = (
    type: string,
    outputs: Record<string, [kind: string, size: number]>,
    inputs?: Layer["inputs"],
    options?: object,
  ) => {
    const name = `${type}${layers.length}`;
    for (const source of Object.values(inputs ?? {})) read.add(source.split(".")[0]!);
    layers.push({ type, name, ...inputs && { inputs }, ...options && { options: options as Record<string, unknown> } });
    for (const [port, [kind, size]] of Object.entries(outputs)) values.push({ source: `${name}.${port}`, kind, size });
    return name;
  };
  const embed = (source: string, padded: boolean) => {
    const embeddingDim = pick(WIDTHS);
    add("embedding", { output: ["steps", embeddingDim] }, { input: source }, {
      embeddingDim,
      ...padded && { paddingIdx: 1 },
    });
  };
  const input = (kind: number) => {
    const size = pick(WIDTHS);
    if (kind === 0) add("numbers", { output: ["steps", size] }, undefined, { size });
    if (kind === 1) add("vector", { output: ["rows", size] }, undefined, { size });
    if (kind === 2) embed(`${add("tokens", {}, undefined, { size: size + 2 })}.output`, choose(2) === 1);
  };
  input(choose(3));
  for (let more = choose(3); more > 0; more--) input(choose(3));
  for (let count = 1 + choose(8); count > 0; count--) {
    const any = pick(values), steps = values.filter(({ kind }) => kind === "steps");
    const rows = values.filter(({ kind }) => kind === "rows"), { source, kind, size } = any, one = { input: source };
    const type = pick([
      "linear",
      "tanh",
      "dropout",
      "dropout",
      "concat",
      "layerNorm",
      "relu",
      "gru",
      "attention",
      "sigmoid",
      "lstm",
      "pool",
      "embedding",
    ]);
    if (type === "linear") {
      const outFeatures = pick(WIDTHS);
      add(type, { output: [kind, outFeatures] }, one, { outFeatures, ...choose(3) === 1 && { bias: false } });
    } else if (type === "dropout") add(type, { output: [kind, size] }, one, { p: pick([0.5, 0, 0.25]) });
    else if (type === "layerNorm") {
      add(type, { output: [kind, size] }, one, { eps: 0.01, ...choose(3) === 1 && { elementwiseAffine: false } });
    } else if (type === "concat") {
      const all = [any, pick(values.filter((value) => value.kind === kind)), ...choose(3) ? [] : [any]];
      const inputs = Object.fromEntries(all.map(({ source }, i) => [String(i), source]));
      add(type, { output: [kind, all.reduce((sum, { size }) => sum + size, 0)] }, inputs);
    } else if (type === "embedding") {
      const tokens = layers.filter(({ type }) => type === "tokens");
      if (tokens.length) embed(`${pick(tokens).name}.output`, false);
    } else if (["tanh", "relu", "sigmoid"].includes(type)) add(type, { output: [kind, size] }, one);
    else if (steps.length) {
      const { source, size } = pick(steps), one = { input: source };
      if (type === "pool") add(pick(["mean", "last", "max"]), { output: ["rows", size] }, one);
      else if (type === "attention") {
        if (!rows.length) continue;
        const options = choose(2) ? { size: pick(WIDTHS) } : undefined;
        add(type, { context: ["rows", size] }, { query: pick(rows).source, keys: source }, options);
      } else {
        const hiddenSize = pick([3, 1, 5, 4]),
          bidirectional = choose(2) === 1,
          D = bidirectional ? 2 * hiddenSize : hiddenSize;
        const options = {
          hiddenSize,
          bidirectional,
          numLayers: 1 + choose(2),
          dropout: pick([0, 0.3]),
          bias: choose(4) !== 1,
        };
        add(type, { output: ["steps", D], state: ["rows", D] }, one, options);
      }
    }
  }
  const outputs: Record<string, string> = {};
  for (const { name } of layers.filter(({ name }) => !read.has(name))) {
    outputs[`${name}_out`] = pick(values.filter(({ source }) => source.startsWith(`${name}.`))).source;
  }
  if (choose(2)) outputs.another = pick(values).source;
  for (const { type, name } of layers) {
    if (type === "attention" && choose(3) === 1) outputs[`${name}_weights`] = `${name}.weights`;
    if (type === "gru" && choose(3) === 1) outputs[`${name}_hidden`] = `${name}.hidden`;
  }
  const network = { layers, outputs };
  return { network, ...batchFor(network, choose, new Random(seed, "data")) };
}

function batchFor(network: Network, choose: (count: number) => number, random: Random): Omit<Trial, "network"> {
  const pick = <T>(list: readonly T[]): T => list[choose(list.length)]!, resolved = resolveNetwork(network);
  const only = network.layers.every(({ type }) => type !== "numbers" && type !== "tokens");
  const B = pick([3, 1, 9]), T = only ? 1 : pick([4, 1, 2]), varied = choose(3) !== 1;
  const lengths = Int32Array.from({ length: B }, () => varied ? 1 + random.below(T) : T);
  const arrays: Record<string, Float32Array | Int32Array> = {}, states: Record<string, Float32Array> = {};
  let mask: Float32Array | undefined;
  for (const { type, name, options, inputs } of resolved.nodes) {
    const { size } = options as { size: number };
    if (type === "numbers") arrays[name] = normals(random, B * T * size);
    if (type === "vector") arrays[name] = normals(random, B * size);
    if (type === "tokens") arrays[name] = Int32Array.from({ length: B * T }, () => random.below(size));
    if (type === "gru" || type === "lstm") {
      const { hiddenSize: H, numLayers, bidirectional } = options as {
        hiddenSize: number;
        numLayers: number;
        bidirectional: boolean;
      };
      const n = numLayers * (bidirectional ? 2 : 1) * B * H;
      if (choose(3) === 1) states[`${name}.h0`] = normals(random, n, 0.5);
      if (type === "lstm" && choose(3) === 1) states[`${name}.c0`] = normals(random, n, 0.5);
    }
    if (type === "dropout" && !mask) {
      const { kind, size } = inputs.input!, n = B * size * (kind === "steps" ? T : 1);
      mask = Float32Array.from({ length: n }, () => random.below(3) ? 1.5 : 0);
    }
  }
  const first = resolved.nodes.find(({ type }) => type === "numbers" || type === "tokens") ??
    resolved.nodes.find(({ type }) => type === "vector")!;
  const { [first.name]: x, ...others } = arrays, { kind, size } = first.outputs.output!;
  const losses: Record<string, { loss: LossName; weight?: number } & LossSettings> = {},
    targets: Record<string, Targets> = {};
  const able = Object.entries(resolved.outputs).filter(([, { shape: { kind } }]) =>
    kind === "rows" || kind === "steps"
  );
  able.forEach(([name, { shape }], i) => {
    if (i && choose(4) === 1) return;
    const loss = pick(SMOOTH), settings = { ...loss === "quantile" && { quantiles: quantilesFor(shape) } };
    losses[name] = { loss, ...settings, ...choose(2) && { weight: pick([0.5, 2]) } };
    targets[name] = targetsFor(loss, shape, settings, B * (shape.kind === "steps" ? T : 1), random);
  });
  return {
    losses,
    targets,
    sequences: { x: x!, shape: [B, T, kind === "tokens" ? 1 : size], lengths, inputs: others, states },
    ...choose(2) && { weights: Float32Array.from({ length: B }, (_, b) => b ? random.below(3) : 1) },
    ...mask && choose(2) && { dropoutMask: mask },
  };
}

function quantilesFor({ size }: Shape): number[] {
  return size % 3 === 0 ? [0.1, 0.5, 0.9] : size % 2 === 0 ? [0.25, 0.75] : [0.3];
}

function targetsFor(loss: LossName, { size }: Shape, settings: LossSettings, rows: number, random: Random): Targets {
  if (LOSSES[loss].targets === "classes") return Int32Array.from({ length: rows }, () => random.below(size));
  const n = rows * targetWidth(loss, size, settings), { predicts } = LOSSES[loss];
  return predicts === "probabilities" ? Float32Array.from({ length: n }, () => random.below(2)) : normals(random, n, 2);
}
