import assert from "node:assert/strict";
import { classifier, type ModelConfig, resolveConfig } from "../core/model/config.ts";
import { resolveNetwork } from "../core/model/network.ts";
import { Random } from "../core/random.ts";
import { LOSSES, randomBatch, randomMask, randomState, randomWeights } from "./batches.ts";
import { assertClose } from "./close.ts";
import { batchOf, type Case, comparisons, configOf, fixtures, named } from "./golden.ts";
import { reference } from "./reference.ts";

for (const { name, read } of fixtures<Case>("cases-")) {
  Deno.test(`the reference agrees with PyTorch in double precision: ${name}`, () => {
    const stored = read(), { sequences, targets, ...options } = batchOf(stored.config, stored.inputs);
    const results = reference(configOf(stored.config), named(stored.params), sequences, targets, options);
    for (const { name, actual, expected, allowed } of comparisons(stored, results)) {
      // What single precision is allowed, times the ratio of the units of rounding, 2⁻⁵³ / 2⁻²⁴: two correct programs
      // that sum in another order differ by no more, and where a case is ill conditioned both are allowed more.
      assertClose(actual, expected, allowed * 2 ** -29, name);
    }
  });
}

/** Half the distance of the two points of a central difference: errors of 1e-11 from the third derivative, and from rounding. */
const STEP = 1e-5;
/** Gradients below this count as this large, because a difference quotient knows them to about 1e-11 and no better. */
const SMALL = 1e-4;

const CONFIGS: {
  about: string;
  config: ModelConfig;
  B: number;
  T: number;
  lengths: boolean;
  dropout: boolean;
  weighted?: boolean;
}[] = [
  {
    about: "one layer",
    config: { inputSize: 2, hiddenSize: 3, outputSize: 2 },
    B: 3,
    T: 5,
    lengths: false,
    dropout: false,
  },
  {
    about: "three layers without bias, with lengths",
    config: { inputSize: 3, hiddenSize: 2, outputSize: 4, numLayers: 3, bias: false },
    B: 3,
    T: 4,
    lengths: true,
    dropout: false,
  },
  {
    about: "two layers in both directions, with lengths and dropout",
    config: { inputSize: 2, hiddenSize: 3, outputSize: 5, numLayers: 2, bidirectional: true },
    B: 3,
    T: 4,
    lengths: true,
    dropout: true,
  },
  {
    about: "tokens, and losses that are weighed",
    config: { inputSize: 2, hiddenSize: 3, outputSize: 3, bidirectional: true, numEmbeddings: 4 },
    B: 4,
    T: 4,
    lengths: true,
    dropout: false,
    weighted: true,
  },
];

for (const { about, config, B, T, lengths, dropout, weighted } of CONFIGS) {
  for (const loss of LOSSES) {
    Deno.test(`the reference's gradients agree with central differences: ${about}, ${loss}`, () => {
      const random = new Random(1, "data"), { hiddenSize: H, numLayers = 1, bidirectional } = config;
      const D = H * (bidirectional ? 2 : 1);
      // Weights of three times the usual size, so that gates are not all near their middle.
      const state = randomState(random, resolveNetwork(classifier(resolveConfig(config))).layout.list, 3);
      const { sequences, targets } = randomBatch(random, config, { B, T, loss, lengths });
      const options = {
        loss,
        ...weighted && randomWeights(random, config, { B, loss }),
        ...dropout && {
          dropoutMask: randomMask(random, B * D, 0.4),
          layerMasks: Array.from({ length: numLayers - 1 }, () => randomMask(random, B * T * D, 0.4)),
        },
      };
      // In double precision: a step of 1e-5 would drown in the rounding of single precision.
      const exact = Object.fromEntries(
        Object.entries(state).map(([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }]),
      );
      const x = Float64Array.from(sequences.x), h0 = Float64Array.from(sequences.h0);
      const run = () => reference(config, exact, { ...sequences, x, h0 }, targets, options);
      const { parameters, inputs } = run();

      const check = (name: string, values: Float64Array, gradient: Float64Array) => {
        for (let i = 0; i < values.length; i++) {
          const value = values[i]!;
          values[i] = value + STEP;
          const above = run().loss;
          values[i] = value - STEP;
          const below = run().loss;
          values[i] = value;
          const slope = (above - below) / (2 * STEP), size = Math.max(Math.abs(slope) + Math.abs(gradient[i]!), SMALL);
          const error = Math.abs(slope - gradient[i]!) / size;
          assert.ok(error <= 1e-6, `${name}: ${gradient[i]} at ${i}, the slope is ${slope}`);
        }
      };
      for (const [name, { data }] of Object.entries(exact)) check(name, data, parameters[name]!.data);
      if (!config.numEmbeddings) check("x", x, inputs.x.data);
      check("h0", h0, inputs.h0.data);
    });
  }
}
