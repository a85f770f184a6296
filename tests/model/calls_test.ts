/**
 * The kernel calls of the ready-made model, against hashes: a change of structure must not change what is computed, nor in
 * which order. `UPDATE_CALLS=1` writes them anew, which a change of the kernels may call for.
 */

import assert from "node:assert/strict";
import { classifier, LOGITS, type ModelConfig, resolveConfig } from "../../core/model/config.ts";
import type { LossName } from "../../core/model/losses.ts";
import { PlacedNetwork } from "../../core/model/placed_network.ts";
import { makePlan, type PlanShape, type PlanTask } from "../../core/model/plan.ts";
import { type OptimizerOptions, resolveOptimizer, updateSpec } from "../../core/train/optimizer.ts";
import { callsOf, hashText } from "./plan_calls.ts";

interface Setup {
  readonly config: Omit<ModelConfig, "inputSize" | "hiddenSize" | "outputSize">;
  /** [B, T, I, H, O]. */
  readonly shape: readonly [number, number, number, number, number];
  readonly loss: LossName;
  readonly h0?: boolean;
  readonly weighted?: boolean;
  readonly posWeighted?: boolean;
  readonly wholeBatch?: boolean;
  readonly optimizer?: OptimizerOptions;
  readonly clip?: { clipNorm?: number; clipValue?: number };
}

const SETUPS: Record<string, Setup> = {
  seed: { config: { dropout: 0.5 }, shape: [32, 10, 5, 10, 2], loss: "bce" },
  ones: { config: {}, shape: [1, 1, 1, 1, 1], loss: "bce", posWeighted: true },
  odd: { config: { dropout: 0.2 }, shape: [13, 5, 3, 7, 3], loss: "crossEntropy", h0: true, clip: { clipNorm: 1 } },
  layers2: { config: { numLayers: 2, dropout: 0.3 }, shape: [9, 4, 3, 5, 2], loss: "mse", weighted: true },
  layers3: { config: { numLayers: 3, dropout: 0.1, layerDropout: 0.4 }, shape: [7, 6, 2, 5, 1], loss: "mse" },
  bidirectional: { config: { bidirectional: true }, shape: [17, 3, 5, 6, 4], loss: "crossEntropy", weighted: true },
  bidirectional2: {
    config: { bidirectional: true, numLayers: 2, layerDropout: 0.5 },
    shape: [5, 7, 4, 3, 2],
    loss: "bce",
    h0: true,
    optimizer: { name: "sgd", momentum: 0.9, nesterov: true },
  },
  noBias: { config: { bias: false, numLayers: 2 }, shape: [8, 5, 3, 4, 2], loss: "bce", clip: { clipValue: 0.1 } },
  tokens: { config: { numEmbeddings: 11 }, shape: [10, 5, 3, 4, 2], loss: "crossEntropy" },
  tokensPadding: {
    config: { numEmbeddings: 7, paddingIdx: 0, bidirectional: true, dropout: 0.5 },
    shape: [21, 6, 5, 7, 3],
    loss: "bce",
    weighted: true,
    posWeighted: true,
    optimizer: { name: "adamw", amsgrad: true },
  },
  tokensMany: { config: { numEmbeddings: 5000 }, shape: [96, 20, 8, 48, 4], loss: "crossEntropy" },
  blocks: { config: { dropout: 0.5 }, shape: [128, 24, 16, 64, 2], loss: "bce", optimizer: { name: "rmsprop" } },
  wide: { config: { layerDropout: 0.1, numLayers: 2 }, shape: [40, 8, 7, 256, 5], loss: "mse" },
  wholeBatch: { config: { dropout: 0.5 }, shape: [50, 12, 5, 33, 2], loss: "bce", wholeBatch: true },
};

/** What `forward` reads of the ready-made model, in the order that its memory has. */
const VALUES = ["fc.output", "attention.weights", "attention.context", "gru.output", "gru.hidden"];

function plans({ config, shape: [B, T, I, H, O], loss, h0, ...setup }: Setup): Record<string, PlanShape> {
  const full = resolveConfig({ ...config, inputSize: I, hiddenSize: H, outputSize: O });
  const { weighted, posWeighted, optimizer, clip = {} } = setup;
  const update = updateSpec(resolveOptimizer({ ...optimizer }), clip);
  const losses = [{ output: LOGITS, loss, settings: {}, weighted, outputWeighted: posWeighted }];
  const states = h0 ? ["gru.h0"] : [];
  const shape = (task: PlanTask, given: readonly string[] = []): PlanShape => ({
    B,
    T,
    given: [...states, ...given],
    task,
  });
  return {
    forward: shape({ purpose: "forward", values: VALUES }),
    predict: shape({ purpose: "predict", values: ["attention.weights"], activations: { [LOGITS]: loss } }),
    evaluate: shape({ purpose: "evaluate", losses }),
    gradients: full.dropout
      ? shape({ purpose: "gradients", values: VALUES, losses, dropout: "given" }, ["dropout.mask"])
      : shape({ purpose: "gradients", values: VALUES, losses }),
    step: shape({ purpose: "step", losses, dropout: "random", update }),
    stepAccumulate: shape({ purpose: "step", losses, dropout: "random", update, accumulate: true }),
    stepWaits: shape({ purpose: "step", losses, dropout: "random", accumulate: true }),
  };
}

function calls({ wholeBatch, ...setup }: Setup, shape: PlanShape): string {
  const [, , I, H, O] = setup.shape;
  const config = resolveConfig({ ...setup.config, inputSize: I, hiddenSize: H, outputSize: O });
  const net = () => new PlacedNetwork(classifier(config));
  return callsOf(() => makePlan(net(), shape, { parallelFrom: 4, wholeBatch }).programs);
}

const STORED = new URL("../testdata/calls.json", import.meta.url);

Deno.test("the ready-made model's kernel calls are those that are stored", async () => {
  const found: Record<string, Record<string, string>> = {};
  for (const [name, setup] of Object.entries(SETUPS)) {
    found[name] = {};
    for (const [purpose, shape] of Object.entries(plans(setup))) {
      found[name]![purpose] = await hashText(calls(setup, shape));
      if (Deno.env.get("PRINT_CALLS") === `${name} ${purpose}`) console.log(calls(setup, shape));
    }
  }
  if (Deno.env.get("UPDATE_CALLS")) {
    Deno.writeTextFileSync(STORED, `${JSON.stringify(found, null, 2)}\n`);
  }
  assert.deepEqual(found, JSON.parse(Deno.readTextFileSync(STORED)));
});

Deno.test("another dimension, place or order of a call gives another hash", () => {
  const shape = plans(SETUPS.odd!).step!, text = calls(SETUPS.odd!, shape);
  assert.notEqual(calls(SETUPS.odd!, { ...shape, B: 12 }), text);
  assert.notEqual(calls(SETUPS.odd!, { ...shape, task: { ...shape.task, dropout: "none" } }), text);
  assert.equal(calls(SETUPS.odd!, shape), text);
});
