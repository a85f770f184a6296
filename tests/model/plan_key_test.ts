/** What plans are found by: no two different shapes may share a key. */

import assert from "node:assert/strict";
import fc from "npm:fast-check@4.10.2";
import { classifier, LOGITS, resolveConfig } from "../../core/model/config.ts";
import { LOSS_NAMES, LOSSES } from "../../core/model/losses.ts";
import { PlacedNetwork } from "../../core/model/placed_network.ts";
import { makePlan, planKey, type PlanShape } from "../../core/model/plan.ts";
import { callsOf } from "./plan_calls.ts";

const settings = fc.record({
  delta: fc.constantFrom(0.5, 1),
  quantiles: fc.constantFrom([0.5], [0.1, 0.9]),
  labelSmoothing: fc.constantFrom(0, 0.1),
  gamma: fc.constantFrom(0, 2),
  alpha: fc.constantFrom(0.25, 1),
}, { requiredKeys: [] });

const update = fc.record({
  name: fc.constantFrom("adam" as const, "adamw" as const, "sgd" as const, "rmsprop" as const),
  betas: fc.constant([0.9, 0.999]),
  eps: fc.constantFrom(1e-8, 1e-7),
  weightDecay: fc.constantFrom(0, 0.01),
  amsgrad: fc.boolean(),
  momentum: fc.constantFrom(0, 0.9),
  nesterov: fc.boolean(),
  alpha: fc.constant(0.99),
  clipNorm: fc.option(fc.constantFrom(0.5, 1), { nil: undefined }),
  clipValue: fc.option(fc.constantFrom(0.5, 1), { nil: undefined }),
});

const task = fc.record({
  purpose: fc.constantFrom("evaluate" as const, "gradients" as const, "step" as const),
  values: fc.option(fc.subarray(["attention.weights", "gru.output", "gru.hidden"]), { nil: undefined }),
  loss: fc.constantFrom(...LOSS_NAMES),
  settings,
  weight: fc.option(fc.constantFrom(0.5, 2), { nil: undefined }),
  weighted: fc.boolean(),
  outputWeighted: fc.boolean(),
  dropout: fc.constantFrom("none" as const, "random" as const, "given" as const),
  update: fc.option(update, { nil: undefined }),
  accumulate: fc.boolean(),
});

const shapes: fc.Arbitrary<PlanShape> = fc.record({
  B: fc.integer({ min: 1, max: 20 }),
  T: fc.integer({ min: 1, max: 4 }),
  h0: fc.boolean(),
  task,
}).map(
  (
    {
      B,
      T,
      h0,
      task: { loss, settings, weight, weighted, outputWeighted, purpose, values, dropout, update, accumulate },
    },
  ) => {
    const row = LOSSES[loss],
      own: Record<string, unknown> = { ...row.settings, ...loss === "quantile" && { quantiles: [0.5] } };
    for (const [name, value] of Object.entries(settings)) if (Object.hasOwn(row.settings, name)) own[name] = value;
    const losses = [{
      output: LOGITS,
      loss,
      settings: own,
      weight,
      weighted,
      outputWeighted: outputWeighted && row.weights !== null,
    }];
    const given = [...h0 ? ["gru.h0"] : [], ...dropout === "given" ? ["dropout.mask"] : []];
    const step = purpose === "step";
    return { B, T, given, task: { purpose, values, losses, dropout, ...step && { update, accumulate } } };
  },
);

const net = () =>
  new PlacedNetwork(classifier(resolveConfig({ inputSize: 2, hiddenSize: 3, outputSize: 2, dropout: 0.5 })));

function calls(shape: PlanShape): string {
  return callsOf(() => makePlan(net(), shape, { parallelFrom: 4 }).programs);
}

Deno.test("plans whose programs differ have different keys", () => {
  fc.assert(
    fc.property(shapes, shapes, (a, b) => {
      if (planKey(a) === planKey(b)) assert.equal(calls(a), calls(b));
    }),
    { numRuns: 400 },
  );
});

/** One thing changed: whoever forgets a field in the key is found by it. */
const CHANGES: Record<string, (shape: PlanShape) => PlanShape> = {
  B: (shape) => ({ ...shape, B: shape.B + 1 }),
  T: (shape) => ({ ...shape, T: shape.T + 1 }),
  given: (shape) => ({ ...shape, given: [...shape.given!, "x"] }),
  purpose: ({ task, ...rest }) => ({
    ...rest,
    task: { ...task, purpose: task.purpose === "step" ? "evaluate" : "step" },
  }),
  values: ({ task, ...rest }) => ({ ...rest, task: { ...task, values: [...task.values ?? [], "fc.output"] } }),
  activations: ({ task, ...rest }) => ({ ...rest, task: { ...task, activations: { [LOGITS]: "mse" } } }),
  dropout: ({ task, ...rest }) => ({
    ...rest,
    task: { ...task, dropout: task.dropout === "none" ? "random" : "none" },
  }),
  accumulate: ({ task, ...rest }) => ({ ...rest, task: { ...task, accumulate: !task.accumulate } }),
  update: ({ task, ...rest }) => ({ ...rest, task: { ...task, update: task.update ? undefined : { name: "sgd" } } }),
  losses: ({ task, ...rest }) => ({ ...rest, task: { ...task, losses: [...task.losses!, task.losses![0]!] } }),
};
for (const field of ["loss", "settings", "weight", "weighted", "outputWeighted", "output"] as const) {
  CHANGES[`losses.${field}`] = ({ task, ...rest }) => {
    const [first] = task.losses!,
      other = { loss: first!.loss === "mse" ? "mae" : "mse", weight: (first!.weight ?? 1) + 1 } as const;
    const changed = {
      ...other,
      settings: { ...first!.settings, delta: (first!.settings.delta ?? 0) + 1 },
      weighted: !first!.weighted,
      outputWeighted: !first!.outputWeighted,
      output: `${first!.output}2`,
    };
    return { ...rest, task: { ...task, losses: [{ ...first!, [field]: changed[field] }] } };
  };
}
for (
  const field of [
    "name",
    "betas",
    "eps",
    "weightDecay",
    "amsgrad",
    "momentum",
    "nesterov",
    "alpha",
    "clipNorm",
    "clipValue",
  ]
) {
  CHANGES[`update.${field}`] = ({ task, ...rest }) => {
    const before = (task.update ?? { name: "adam" }) as unknown as Record<string, unknown>;
    const value = before[field],
      changed = typeof value === "boolean"
        ? !value
        : field === "name"
        ? (value === "sgd" ? "adam" : "sgd")
        : field === "betas"
        ? [0.5, 0.5]
        : ((value as number) ?? 0) + 1;
    return { ...rest, task: { ...task, update: { ...before, [field]: changed } as never } };
  };
}

for (const [field, change] of Object.entries(CHANGES)) {
  Deno.test(`the key of a plan says all of its shape: ${field}`, () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        assert.notEqual(planKey(change(shape)), planKey(shape));
        assert.equal(planKey({ ...shape, task: { ...shape.task } }), planKey(shape));
      }),
      { numRuns: 30 },
    );
  });
}
