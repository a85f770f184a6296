/** What a model is: sizes and options, and the one list of its parameters. */

/** The options of a model, under PyTorch's words. */
export interface ModelConfig {
  /** Numbers per time step, I. */
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
}

/** Lowest and highest value of each number of a ModelConfig: [least, most, must be whole]. */
const RANGES: Record<string, [number, number, boolean]> = {
  inputSize: [1, 65536, true],
  hiddenSize: [1, 65536, true],
  outputSize: [1, 65536, true],
  numLayers: [1, 64, true],
  dropout: [0, 1, false],
  layerDropout: [0, 1, false],
};

/**
 * A config with every option filled in.
 *
 * @throws {TypeError} If an option is unknown or of the wrong type.
 * @throws {RangeError} If a number is out of range.
 */
export function resolveConfig(config: ModelConfig): Required<ModelConfig> {
  if (typeof config !== "object" || config === null) {
    throw new TypeError(`Cannot create model: config must be an object, got ${config}`);
  }
  const given = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
  const dropout = (given.dropout ?? 0) as number;
  const full: Record<string, unknown> = {
    inputSize: undefined,
    hiddenSize: undefined,
    outputSize: undefined,
    numLayers: 1,
    dropout,
    layerDropout: dropout,
    bidirectional: false,
    bias: true,
  };
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(full, name)) throw new TypeError(`Cannot create model: unknown option "${name}"`);
    full[name] = value;
  }
  for (const [name, value] of Object.entries(full)) {
    const range = RANGES[name];
    if (!range) {
      if (typeof value !== "boolean") {
        throw new TypeError(`Cannot create model: ${name} must be true or false, got ${value}`);
      }
      continue;
    }
    const [least, most, whole] = range;
    if (typeof value !== "number") throw new TypeError(`Cannot create model: ${name} must be a number, got ${value}`);
    const inside = whole ? Number.isInteger(value) && value >= least && value <= most : value >= least && value < most;
    if (!inside) {
      throw new RangeError(
        `Cannot create model: ${name} must be ${whole ? "a whole number" : "a number"} from ${least} to ${
          whole ? most : `below ${most}`
        }, got ${value}`,
      );
    }
  }
  return full as unknown as Required<ModelConfig>;
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
}

/** Suffix of the parameters of one layer and direction: `_l0`, `_l0_reverse`, `_l1`, …. */
export function layerSuffix(layer: number, direction: number): string {
  return `_l${layer}${direction ? "_reverse" : ""}`;
}

/**
 * All parameters in the order of PyTorch's state dict. Layout, checkpoint, optimizer, initialisation and documentation
 * come from this list.
 *
 * Bounds: 1/√H for the GRU (torch.nn.GRU), 1/√(inputs) for linear layers (torch.nn.Linear, Kaiming-uniform with a = √5).
 */
export function parameterList(config: Required<ModelConfig>): Parameter[] {
  const { inputSize: I, hiddenSize: H, outputSize: O, numLayers, bidirectional, bias } = config;
  const directions = bidirectional ? 2 : 1, D = H * directions;
  const list: Parameter[] = [];
  let offset = 0;
  const add = (name: string, shape: number[], bound: number) => {
    const length = shape.reduce((a, b) => a * b, 1);
    list.push({ name, shape, length, offset, bound });
    offset += length;
  };
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
