import { fail } from "../errors.ts";
import { type OptionSpec, resolveOptions } from "../options.ts";

/** The options of a model, under PyTorch's words. */
export interface ModelConfig {
  /** Numbers per time step, I; with `numEmbeddings` the width of an embedding. */
  inputSize: number;
  /** Numbers in a GRU state, H. */
  hiddenSize: number;
  /** Numbers the model puts out, O. */
  outputSize: number;
  /** GRU layers, one on another. Default 1. */
  numLayers?: number;
  /** Probability of dropout on the attention's context while training, 0 ≤ p < 1. Default 0. */
  dropout?: number;
  /** Probability of dropout between GRU layers while training, the `dropout` of torch.nn.GRU. Default: as `dropout`. */
  layerDropout?: number;
  /** Whether a second GRU runs from the end to the start of each sequence. Default false. */
  bidirectional?: boolean;
  /** Whether the GRU has biases; attention and output always do. Default true. */
  bias?: boolean;
  /**
   * Tokens in the vocabulary, V: inputs are then token numbers from 0 to V − 1, each standing for a learnt row of
   * "embedding.weight" (V, I), as in torch.nn.Embedding. 0: inputs are numbers. Default 0.
   */
  numEmbeddings?: number;
  /** Token whose embedding begins as 0 and gets no gradient, the `padding_idx` of torch.nn.Embedding. Default: none. */
  paddingIdx?: number;
}

/** A model's options with all defaults filled in; only `paddingIdx` may be absent. */
export type FullConfig = Required<Omit<ModelConfig, "paddingIdx">> & Pick<ModelConfig, "paddingIdx">;

/** The options of a model: types, defaults, ranges. */
export const MODEL_OPTIONS: { readonly [Name in keyof Required<ModelConfig>]: OptionSpec } = {
  inputSize: { type: "integer", least: 1, most: 65536, about: "numbers per time step" },
  hiddenSize: { type: "integer", least: 1, most: 65536, about: "numbers in a GRU state" },
  outputSize: { type: "integer", least: 1, most: 65536, about: "numbers the model puts out" },
  numLayers: { type: "integer", default: 1, least: 1, most: 64, about: "GRU layers, one on another" },
  dropout: { type: "number", default: 0, least: 0, below: 1, about: "probability of dropout on the context" },
  layerDropout: {
    type: "number",
    optional: true,
    least: 0,
    below: 1,
    about: "the same between layers (default: as --dropout)",
  },
  bidirectional: { type: "boolean", default: false, about: "a second GRU from the end to the start" },
  bias: { type: "boolean", default: true, about: "biases in the GRU" },
  numEmbeddings: { type: "integer", default: 0, least: 0, most: 1e8, about: "tokens in the vocabulary" },
  paddingIdx: { type: "integer", optional: true, least: 0, about: "token whose embedding stays 0" },
};

/**
 * A config with every option filled in.
 *
 * @throws {TypeError} If an option is unknown, missing or of the wrong type.
 * @throws {RangeError} If a number is out of range.
 */
export function resolveConfig(config: ModelConfig): FullConfig {
  const given = { ...config, layerDropout: config?.layerDropout ?? config?.dropout ?? 0 };
  const full = resolveOptions("create model", MODEL_OPTIONS, given) as unknown as FullConfig;
  const { numEmbeddings, paddingIdx } = full;
  if (paddingIdx !== undefined && paddingIdx >= numEmbeddings) {
    throw fail(
      "option-out-of-range",
      "create model",
      `paddingIdx must be below numEmbeddings, ${numEmbeddings}, got ${paddingIdx}`,
      { option: "paddingIdx", value: paddingIdx },
    );
  }
  return full;
}

/** One parameter of a model. */
export interface Parameter {
  /** PyTorch's name. */
  readonly name: string;
  /** PyTorch's shape. */
  readonly shape: readonly number[];
  /** Product of the shape. */
  readonly length: number;
  /** Elements from the start of the block of all parameters. */
  readonly offset: number;
  /** Initial values are uniform in ±bound, as PyTorch's. */
  readonly bound: number;
  /** Whether they are of the normal distribution N(0, bound²) instead. */
  readonly normal: boolean;
}

/** Suffix of the parameters of one layer and direction: `_l0`, `_l0_reverse`, `_l1`, …. */
export function layerSuffix(layer: number, direction: number): string {
  return `_l${layer}${direction ? "_reverse" : ""}`;
}

/**
 * All parameters in the order of PyTorch's state dict. Layout, checkpoint, optimizer, initialisation and documentation
 * come from this list.
 *
 * Bounds: 1/√H for the GRU (torch.nn.GRU), 1/√(inputs) for linear layers (torch.nn.Linear, Kaiming-uniform with a = √5);
 * embeddings are N(0, 1) (torch.nn.Embedding), and end at a multiple of 4, so that a vector never holds another's numbers.
 */
export function parameterList(config: FullConfig): Parameter[] {
  const { inputSize: I, hiddenSize: H, outputSize: O, numLayers, bidirectional, bias, numEmbeddings: V } = config;
  const directions = bidirectional ? 2 : 1, D = H * directions;
  const list: Parameter[] = [];
  let offset = 0;
  const add = (name: string, shape: number[], bound: number, normal = false) => {
    const length = shape.reduce((a, b) => a * b, 1);
    list.push({ name, shape, length, offset, bound, normal });
    offset += length;
  };
  if (V) {
    add("embedding.weight", [V, I], 1, true);
    offset = Math.ceil(offset / 4) * 4;
  }
  for (let layer = 0; layer < numLayers; layer++) {
    for (let direction = 0; direction < directions; direction++) {
      const suffix = layerSuffix(layer, direction), bound = 1 / Math.sqrt(H);
      add(`gru.weight_ih${suffix}`, [3 * H, layer ? D : I], bound);
      add(`gru.weight_hh${suffix}`, [3 * H, H], bound);
      if (bias) {
        add(`gru.bias_ih${suffix}`, [3 * H], bound);
        add(`gru.bias_hh${suffix}`, [3 * H], bound);
      }
    }
  }
  add("attention.attn.weight", [D, 2 * D], 1 / Math.sqrt(2 * D));
  add("attention.attn.bias", [D], 1 / Math.sqrt(2 * D));
  add("attention.v.weight", [1, D], 1 / Math.sqrt(D));
  add("fc.weight", [O, D], 1 / Math.sqrt(D));
  add("fc.bias", [O], 1 / Math.sqrt(D));
  return list;
}
