import { from } from "../../device/arena.ts";
import { LANES } from "../../device/kernels.ts";
import {
  Gradient,
  gradientScratch,
  groupStride,
  type LayerType,
  newValue,
  transposedSize,
  weightGradient,
} from "./layer.ts";
import { layerOf } from "./node.ts";

/** Options of additive attention. */
export interface AttentionOptions {
  /** Width of its hidden layer, A. Default: that of the keys. */
  size?: number;
}

/**
 * Additive attention of one query per sequence over the keys of all steps, which are the values too:
 *
 *   score_t = v · tanh(attn [query; key_t])    weights = softmax over time    context = Σ_t weights_t key_t
 *
 * Bahdanau, Cho and Bengio 2014 (arXiv:1409.0473). Parameters: attn.weight (A, Q + K), the query's columns first,
 * attn.bias (A), v.weight (1, A). Memory per block, in elements, with R rows rounded up to groups of 8:
 * T·R·(A + 1) + R·(A + K); for backward T·R·(A + 1) + R·(A + K) + A·max(Q, K) more.
 */
export const ATTENTION: LayerType<AttentionOptions> = {
  options: { size: { type: "integer", optional: true, least: 1, most: 65536, about: "width of the hidden layer" } },
  inputs: { query: ["rows"], keys: ["steps"] },
  outputs: ({ inputs: { keys } }) => ({
    context: { kind: "rows", size: keys!.size },
    weights: { kind: "weights", size: 1 },
  }),
  parameters({ inputs: { query, keys }, options: { size: A = keys!.size } }) {
    const wide = query!.size + keys!.size, bound = 1 / Math.sqrt(wide);
    return [
      { name: "attn.weight", shape: [A, wide], bound },
      { name: "attn.bias", shape: [A], bound },
      { name: "v.weight", shape: [1, A], bound: 1 / Math.sqrt(A) },
    ];
  },
  work: ({ inputs: { query, keys }, options: { size: A = keys!.size } }) => ({
    products: A * (query!.size + keys!.size),
  }),
  place(node, store) {
    const { name, inputs, sources } = node, Q = inputs.query!.size, D = inputs.keys!.size;
    const { size: A = D } = node.options,
      [offsetV, offsetBias] = [`${name}.v.weight`, `${name}.attn.bias`].map(
        (full) => store.parameter(full).offset,
      ) as [number, number];
    const part = (columns: number, skip: number, source: string) =>
      store.weight(`${name}.attn.weight`, { columns, skip, gradientOf: layerOf(source) });
    const asks = part(Q, 0, sources.query!), answers = part(D, Q, sources.keys!);
    const bias = store.copy(`${name}.attn.bias`), v = store.copy(`${name}.v.weight`);
    return {
      over(block, { query, keys }) {
        const { T, groups, backward, scratch, mask, gradient } = block, all = T * groups;
        const [q, k] = [query!, keys!], lda = groupStride(A), tensor = (n: number) => scratch.allocate(n);
        const projected = tensor(groups * lda), hidden = tensor(all * lda);
        const context = newValue(block, node.outputs.context!, backward), ldc = context.stride;
        const weights = { shape: node.outputs.weights!, data: tensor(all * LANES), stride: LANES, gradient: null };
        const back = (n: number) => tensor(backward ? n : 0);
        const dProjected = back(groups * lda), dScores = back(all * LANES), dvLanes = back(4 * A);
        const transposed = back(Math.max(transposedSize(D, all), transposedSize(Q, groups)));
        const products = back(Math.max(gradientScratch(block, answers, all), gradientScratch(block, asks, groups)));
        return {
          outputs: { context, weights },
          forward(task) {
            const asked = { y: projected, x: q.data, panels: asks.forward, bias, M: A, K: Q };
            task.call("linearForward", { ...asked, groups, ldy: lda, ldx: q.stride });
            const answered = { y: hidden, x: k.data, panels: answers.forward, bias: null, M: A, K: D };
            task.call("linearForward", { ...answered, groups: all, ldy: lda, ldx: k.stride });
            task.call("attentionForward", {
              context: context.data,
              weights: weights.data,
              hidden,
              encoded: k.data,
              query: projected,
              v,
              mask,
              T,
              groups,
              D,
              A,
              ldc,
              lda,
              lde: k.stride,
              ldq: lda,
            });
            // The weights leave the network before the context.
            block.publish(task, `${name}.weights`, weights);
          },
          backward(task) {
            const accumulate = k.gradient?.claim() ?? 0;
            // The kernel overwrites: where others wrote before, or nobody wants it, it writes beside.
            const own = k.gradient && !accumulate ? k.gradient : new Gradient(tensor(all * k.stride), k.stride);
            task.call("attentionBackward", {
              dEncoded: own.into,
              dQuery: dProjected,
              dv: from(gradient, offsetV),
              dScores,
              dvLanes,
              hidden,
              dContext: context.gradient!.into,
              weights: weights.data,
              encoded: k.data,
              v,
              T,
              groups,
              D,
              A,
              ldde: own.stride,
              ldq: lda,
              ldc,
              lda,
              lde: k.stride,
            });
            const answered = { dy: hidden, lddy: lda, groups: all }, asked = { dy: dProjected, lddy: lda, groups };
            task.call("transposeInput", { transposed, x: k.data, F: D, groups: all, ldx: k.stride });
            weightGradient(task, block, answers, { ...answered, transposed, scratch: products });
            task.call("transposeInput", { transposed, x: q.data, F: Q, groups, ldx: q.stride });
            weightGradient(task, block, asks, { ...asked, transposed, scratch: products });
            task.call("linearBackwardBias", { db: from(gradient, offsetBias), ...asked, M: A, rotate: 0 });
            if (k.gradient) {
              const { into: dx, stride: lddx } = k.gradient;
              if (accumulate) {
                const sum = { dst: dx, src: own.into, groups: all, F: D, lddst: lddx, ldsrc: own.stride };
                task.call("copyGroups", { ...sum, accumulate });
              }
              const panels = answers.backward;
              task.call("linearBackwardInput", { dx, ...answered, panels, M: D, K: A, lddx, accumulate: 1 });
            }
            if (q.gradient) {
              const { into: dx, stride: lddx } = q.gradient, panels = asks.backward;
              const args = { dx, ...asked, panels, M: Q, K: A, lddx, accumulate: q.gradient.claim() };
              task.call("linearBackwardInput", args);
            }
          },
        };
      },
    };
  },
};
