/** Any network over one sequence in double precision, forward only, as plain loops over what a sequence has. */

import type { Network } from "../core/model/network.ts";
import { elementwise, layerNorm, lstm, pool, sigmoid } from "./reference_layers.ts";

/** Parameters, or the inputs of one sequence, by name. */
export type Arrays = Readonly<Record<string, ArrayLike<number>>>;
type Row = Float64Array;
/** A row, or a row for each valid step. */
export type ReferenceValue = Row | readonly Row[];

const join = (rows: readonly Row[]) => Float64Array.from(rows.flatMap((row) => [...row]));
const cut = (numbers: ArrayLike<number>, size: number) =>
  Array.from(
    { length: numbers.length / size },
    (_, t) => Float64Array.from({ length: size }, (_, f) => numbers[t * size + f]!),
  );

/** W·x + b, from column `skip` of W on. */
function product(W: ArrayLike<number>, x: Row, bias?: ArrayLike<number>, columns = x.length, skip = 0): Row {
  return Float64Array.from({ length: W.length / columns }, (_, m) => {
    let sum = bias?.[m] ?? 0;
    for (let k = 0; k < x.length; k++) sum += W[m * columns + skip + k]! * x[k]!;
    return sum;
  });
}

/** torch.nn.GRU over steps in the order given; h after each. */
function gru(inputs: readonly Row[], [W, bias]: readonly (ArrayLike<number> | undefined)[], h: Row): Row[] {
  const H = h.length;
  return inputs.map((gates) => {
    const own = product(W!, h, bias);
    return h = h.map((before, j) => {
      const r = sigmoid(gates[j]! + own[j]!), z = sigmoid(gates[H + j]! + own[H + j]!);
      return (1 - z) * Math.tanh(gates[2 * H + j]! + r * own[2 * H + j]!) + z * before;
    });
  });
}

/** All layers and directions of a recurrent layer; `initial` gives h0 and c0 of one of them. */
function recurrent(
  cell: string,
  x: readonly Row[],
  { hiddenSize: H, numLayers = 1, bidirectional = false }: {
    hiddenSize: number;
    numLayers?: number;
    bidirectional?: boolean;
  },
  parameter: (name: string) => ArrayLike<number> | undefined,
  initial: (state: string, index: number) => Row,
): { output: Row[]; state: Row } {
  let below = x, state = new Float64Array();
  for (let layer = 0; layer < numLayers; layer++) {
    const sides = (bidirectional ? [0, 1] : [0]).map((d) => {
      const suffix = `_l${layer}${d ? "_reverse" : ""}`, index = layer * (bidirectional ? 2 : 1) + d, T = below.length;
      const [weight, bias] = [parameter(`weight_ih${suffix}`)!, parameter(`bias_ih${suffix}`)];
      const gates = below.map((row) => product(weight, row, bias)), hidden = parameter(`weight_hh${suffix}`)!;
      const own = parameter(`bias_hh${suffix}`);
      if (cell === "gru") {
        const states = gru(d ? gates.toReversed() : gates, [hidden, own], initial("h0", index));
        return d ? states.reverse() : states;
      }
      const all = join(gates).map((g, i) => g + (own?.[i % (4 * H)] ?? 0));
      const form = lstm({ T, H, reverse: d === 1 }), states = [initial("h0", index), initial("c0", index)];
      return cut(form.forward([all, Float64Array.from(hidden), ...states])[0]!, H);
    });
    state = join(sides.map((side, d) => side.at(d ? 0 : -1)!));
    below = below.map((_, t) => join(sides.map((side) => side[t]!)));
  }
  return { output: [...below], state };
}

/**
 * All values of a network over one sequence of `length` steps, by "layer.port".
 *
 * @param inputs By the input layers' names, (T, F), (T) or (F); "gru.h0" and the like (count, H), where given; "NAME.mask",
 * multipliers of a dropout layer.
 */
export function runNetwork(
  { layers }: Network,
  parameters: Arrays,
  inputs: Arrays,
  length: number,
): Readonly<Record<string, ReferenceValue>> {
  const values: Record<string, ReferenceValue> = {};
  for (const { type, name, inputs: sources = {}, options = {} } of layers) {
    const given = Object.values(sources).map((source) => values[source]!), [first] = given;
    const { size, p = 0 } = options as { size: number; p?: number };
    const parameter = (what: string): ArrayLike<number> | undefined => parameters[`${name}.${what}`];
    const each = (f: (row: Row, t: number) => Row): ReferenceValue =>
      first instanceof Float64Array ? f(first, 0) : first!.map(f);
    const ports = (): Readonly<Record<string, ReferenceValue>> => {
      switch (type) {
        case "numbers":
          return { output: cut(inputs[name]!, size).slice(0, length) };
        case "tokens":
          return { output: cut(inputs[name]!, 1).slice(0, length) };
        case "vector":
          return { output: Float64Array.from(inputs[name]!) };
        case "embedding": {
          const rows = cut(parameter("weight")!, options.embeddingDim as number);
          return { output: (first as Row[]).map(([token]) => rows[token!]!) };
        }
        case "gru":
        case "lstm": {
          const own = options as { hiddenSize: number }, { hiddenSize: H } = own;
          const initial = (state: string, index: number) =>
            cut(inputs[`${name}.${state}`] ?? [], H)[index] ?? new Float64Array(H);
          return recurrent(type, first as Row[], own, parameter, initial);
        }
        case "attention": {
          const [query, keys] = [values[sources.query!] as Row, values[sources.keys!] as Row[]];
          const W = parameter("attn.weight")!, columns = query.length + keys[0]!.length, v = parameter("v.weight")!;
          const asked = product(W, query, parameter("attn.bias"), columns);
          const scores = keys.map((key) =>
            product(W, key, asked, columns, query.length).reduce((sum, h, a) => sum + v[a]! * Math.tanh(h), 0)
          );
          const powers = scores.map((s) => Math.exp(s - Math.max(...scores))), sum = powers.reduce((a, b) => a + b);
          const weights = powers.map((power) => power / sum);
          const context = keys[0]!.map((_, f) => keys.reduce((sum, key, t) => sum + weights[t]! * key[f]!, 0));
          return { context, weights: weights.map((weight) => Float64Array.of(weight)) };
        }
        case "linear":
          return { output: each((row) => product(parameter("weight")!, row, parameter("bias"))) };
        case "dropout": {
          const mask = p >= 0 ? inputs[`${name}.mask`] : undefined;
          return { output: each((row, t) => mask ? row.map((v, f) => v * mask[t * row.length + f]!) : row) };
        }
        case "layerNorm": {
          const of = (row: Row, what: string, value: number) =>
            Float64Array.from(parameter(what) ?? row.map(() => value));
          const form = layerNorm(options.eps as number ?? 1e-5);
          return { output: each((row) => form.forward([row, of(row, "weight", 1), of(row, "bias", 0)])[0]!) };
        }
        case "last":
        case "mean":
        case "max": {
          const steps = first as Row[];
          return { output: pool(type, steps[0]!.length).forward([join(steps)])[0]! };
        }
        case "concat":
          return { output: each((_, t) => join(given.map((v) => v instanceof Float64Array ? v : v[t]!))) };
        default:
          return { output: each((row) => elementwise(type as "tanh").forward([row])[0]!) };
      }
    };
    for (const [port, value] of Object.entries(ports())) values[`${name}.${port}`] = value;
  }
  return values;
}
