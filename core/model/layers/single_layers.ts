/** Every kind of layer over one sequence by itself. Loaded with the first predictor: training needs none of it. */

import { from } from "../../device/arena.ts";
import type { Tensor } from "../../device/kernels.ts";
import type { AttentionOptions } from "./attention.ts";
import { CELLS } from "./cells.ts";
import { ELEMENTWISE } from "./elementwise.ts";
import type { EmbeddingOptions, InputOptions } from "./inputs.ts";
import type { LayerNormOptions } from "./layer_norm.ts";
import type { LinearOptions } from "./linear.ts";
import type { Kind, Node } from "./node.ts";
import { type Pooling, WAYS } from "./pooling.ts";
import type { FullOptions } from "./recurrent_options.ts";
import { single } from "./recurrent_single.ts";
import {
  joinParts,
  newSingle,
  pad4,
  paddedWidth,
  rowsOfSingle,
  type SingleLayer,
  singleProduct,
  type SingleStore,
  type SingleStream,
  type SingleValue,
} from "./single.ts";

/** How a layer computes one sequence by itself, given the widths of the parts that its inputs' rows have. */
export type Single<Options = Record<string, unknown>> = (
  node: Node<Options>,
  store: SingleStore,
  inputs: Readonly<Record<string, readonly number[]>>,
) => SingleLayer;

/** What the host writes: rows of which products read what was given. */
function singleInput(kind: Kind, input: { readonly data: Tensor; readonly ld: number }, size: number): SingleValue {
  return { kind, ...input, parts: [size], K: size };
}

/** Numbers at every step, or a row of them. */
function given(kind: Kind): Single<InputOptions> {
  return (node) => ({
    parts: { output: [node.options.size] },
    over: (plan) => ({ output: singleInput(kind, plan.input(node.name), node.options.size) }),
  });
}

/** The host looks up the rows of tokens: they leave no trace here. */
const TOKENS: Single = () => ({ parts: { output: [] }, over: () => ({}) });

const EMBEDDING: Single<EmbeddingOptions> = (node) => ({
  // Its rows are looked up by the host.
  parts: { output: [node.options.embeddingDim] },
  over: (plan) => ({ output: singleInput("steps", plan.input(node.name), node.options.embeddingDim) }),
});

/** One of the recurrent layers. */
function recurrent(cell: keyof typeof CELLS): Single<FullOptions> {
  return (node, store, { input }) => single(CELLS[cell], node, store, input!);
}

const ATTENTION: Single<AttentionOptions> = ({ name, inputs, options }, store, { query, keys }) => {
  const { size: A = inputs.keys!.size } = options, Ap = pad4(A);
  const asks = store.columns(`${name}.attn.weight`, query!);
  const answers = store.columns(`${name}.attn.weight`, keys!, { skip: inputs.query!.size });
  const bias = store.vector(`${name}.attn.bias`),
    v = store.vector(`${name}.v.weight`),
    none = store.arena.allocate(Ap);
  return {
    parts: { context: keys!, weights: [1] },
    over(plan, { query, keys }) {
      const { arena, task, stream } = plan, T = stream?.capacity ?? plan.T;
      const asked = arena.allocate(Ap), answered = arena.allocate(T * Ap);
      const hidden = plan.keeps ? arena.allocate(T * Ap) : answered;
      singleProduct(plan, asked, query!, asks, { bias, rows: 1, ldy: Ap });
      singleProduct(plan, answered, keys!, answers, { bias: none, rows: plan.T, ldy: Ap });
      const context = newSingle(plan, "rows", keys!.parts), weights = arena.allocate(pad4(T));
      const { data: encoded, ld } = keys!;
      const args = { context: context.data, weights, hidden, query: asked, v, Dp: context.ld, Ap, ldo: ld };
      if (stream) {
        // What the keys are and answer is kept.
        const allKeys = stream.history(ld), allAnswers = stream.history(Ap);
        stream.between((step, device) => {
          device.call("copyVector", { dst: from(allKeys, step * ld), src: encoded, n: ld });
          device.call("copyVector", { dst: from(allAnswers, step * Ap), src: answered, n: Ap });
          device.call("attentionForwardSingle", { ...args, answers: allAnswers, encoded: allKeys, T: step + 1 });
        });
      } else task.call("attentionForwardSingle", { ...args, answers: answered, encoded, T });
      return { context, weights: { kind: "weights", data: from(weights, 0, T), parts: [1], ld: 1, K: 1 } };
    },
  };
};

const LINEAR: Single<LinearOptions> = ({ name, options: { outFeatures: O, bias: biased } }, store, { input }) => {
  const weight = store.columns(`${name}.weight`, input!);
  const bias = biased ? store.vector(`${name}.bias`) : store.arena.allocate(weight.N);
  return {
    parts: { output: [O] },
    over(plan, { input }) {
      const output = newSingle(plan, input!.kind, [O]), rows = rowsOfSingle(plan, input!);
      singleProduct(plan, output.data, input!, weight, { bias, rows, ldy: output.ld });
      return { output };
    },
  };
};

const LAYER_NORM: Single<LayerNormOptions> = ({ name, inputs, options: { eps, elementwiseAffine: affine } }, store) => {
  const F = inputs.input!.size;
  const gamma = affine ? store.vector(`${name}.weight`) : null, beta = affine ? store.vector(`${name}.bias`) : null;
  return {
    parts: { output: [F] },
    over(plan, { input }) {
      const x = joinParts(plan, input!), output = newSingle(plan, x.kind, [F]), rows = rowsOfSingle(plan, x);
      const args = { rows, F, ldy: output.ld, ldx: x.ld, eps: eps! };
      plan.task.call("layerNormSingle", { y: output.data, x: x.data, gamma, beta, ...args });
      return { output };
    },
  };
};

const DROPOUT: Single = (_node, _store, { input }) => ({
  parts: { output: input! },
  over: (_plan, { input }) => ({ output: input! }),
});

/** A function of each number. */
function elementwise(operator: typeof ELEMENTWISE[number]): Single {
  const which = ELEMENTWISE.indexOf(operator);
  return (_node, _store, { input: parts }) => ({
    parts: { output: parts! },
    over(plan, { input }) {
      const output = newSingle(plan, input!.kind, input!.parts), rows = rowsOfSingle(plan, input!);
      let place = 0;
      for (const F of input!.parts) {
        const [y, x] = [from(output.data, place), from(input!.data, place)];
        plan.task.call("elementwiseSingle", { y, x, rows, F, ldy: output.ld, ldx: input!.ld, which });
        place += paddedWidth([F]);
      }
      return { output };
    },
  });
}

const CONCAT: Single = (_node, _store, inputs) => ({
  parts: { output: Object.values(inputs).flat() },
  over(plan, inputs) {
    const values = Object.values(inputs), [first] = values, rows = rowsOfSingle(plan, first!);
    const output = newSingle(plan, first!.kind, values.flatMap(({ parts }) => parts));
    let place = 0;
    for (const { data, ld, parts } of values) {
      const n = paddedWidth(parts);
      for (let row = 0; row < rows; row++) {
        const dst = from(output.data, row * output.ld + place);
        plan.task.call("copyVector", { dst, src: from(data, row * ld), n });
      }
      place += n;
    }
    return { output };
  },
});

/** A way to make one row of all steps. */
function pooling(way: Pooling): Single {
  const which = WAYS.indexOf(way);
  return (_node, _store, { input: parts }) => ({
    parts: { output: parts! },
    over(plan, { input }) {
      const output = newSingle(plan, "rows", input!.parts), { T, stream } = plan;
      if (stream && which > 0) pushed(stream, output.data, input!.data, plan.arena.allocate(output.ld), way);
      else plan.task.call("poolSingle", { y: output.data, x: input!.data, T, F: output.ld, ldx: input!.ld, which });
      return { output };
    },
  });
}

/** The same over the steps so far, one more at a time, in the order of poolSingle. */
function pushed(stream: SingleStream, output: Tensor, input: Tensor, kept: Tensor, way: Pooling): void {
  stream.keep(kept);
  stream.between((step, { view }) => {
    const best = view(kept), x = view(input), y = view(output);
    for (let f = 0; f < best.length; f++) {
      best[f] = step === 0 ? x[f]! : way === "max" ? Math.max(best[f]!, x[f]!) : best[f]! + x[f]!;
      y[f] = way === "max" ? best[f]! : best[f]! / (step + 1);
    }
  });
}

/** Every kind of layer that one sequence by itself may go through, by the name it has in files. */
// deno-lint-ignore no-explicit-any -- each row has options of its own
export const SINGLES: { readonly [type: string]: Single<any> | undefined } = {
  numbers: given("steps"),
  vector: given("rows"),
  tokens: TOKENS,
  embedding: EMBEDDING,
  gru: recurrent("gru"),
  lstm: recurrent("lstm"),
  attention: ATTENTION,
  linear: LINEAR,
  dropout: DROPOUT,
  layerNorm: LAYER_NORM,
  last: pooling("last"),
  mean: pooling("mean"),
  max: pooling("max"),
  concat: CONCAT,
  tanh: elementwise("Tanh"),
  relu: elementwise("Relu"),
  sigmoid: elementwise("Sigmoid"),
};
