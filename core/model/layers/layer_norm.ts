import { from } from "../../device/arena.ts";
import { LANES } from "../../device/kernels.ts";
import { groupsOfValue, groupStride, type LayerType, newValue } from "./layer.ts";

/** Options of a layer norm. */
export interface LayerNormOptions {
  /** Added to the variance. Default 1e-5. */
  eps?: number;
  /** Whether each number has a weight and a bias that are learned. Default true. */
  elementwiseAffine?: boolean;
}

/**
 * torch.nn.LayerNorm over the numbers of each row or step, with the population variance; steps behind a sequence's length
 * are 0. Parameters: weight (F), which begins as 1, and bias (F), which begins as 0. Ba, Kiros and Hinton 2016
 * (arXiv:1607.06450).
 */
export const LAYER_NORM: LayerType<LayerNormOptions> = {
  options: {
    eps: { type: "number", default: 1e-5, least: 0, above: true, about: "added to the variance" },
    elementwiseAffine: { type: "boolean", default: true, about: "a weight and a bias for each number" },
  },
  inputs: { input: ["rows", "steps"] },
  outputs: ({ inputs }) => ({ output: inputs.input! }),
  parameters: ({ inputs, options }) =>
    options.elementwiseAffine
      ? ["weight", "bias"].map((name, i) => ({ name, shape: [inputs.input!.size], constant: 1 - i }))
      : [],
  place(node, store) {
    const { name, options: { eps, elementwiseAffine: affine } } = node;
    const gamma = affine ? store.copy(`${name}.weight`) : null, beta = affine ? store.copy(`${name}.bias`) : null;
    return {
      over(block, { input }) {
        const x = input!, { scratch, backward, gradient, mask } = block, F = x.shape.size;
        const groups = groupsOfValue(block, x.shape), stats = scratch.allocate(groups * 2 * LANES);
        const output = newValue(block, x.shape, backward && (affine! || x.gradient !== null)), ldy = output.stride;
        const lanes = scratch.allocate(backward ? 2 * F * LANES : 0);
        return {
          outputs: { output },
          forward(task) {
            const args = { x: x.data, gamma, beta, groups, F, ldy, ldx: x.stride, eps: eps! };
            task.call("layerNormForward", { y: output.data, stats, ...args });
            if (x.shape.kind === "steps") task.call("maskLanes", { x: output.data, mask, groups, F, ldx: ldy });
          },
          backward(task) {
            if (!output.gradient) return;
            const of = (what: string) => affine ? from(gradient, store.parameter(`${name}.${what}`).offset, F) : null;
            // Where nobody wants the input's gradient, it goes to memory of its own.
            const { into: dx, stride: lddx } = x.gradient ??
              { into: scratch.allocate(groups * groupStride(F)), stride: groupStride(F) };
            task.call("layerNormBackward", {
              dx,
              dGamma: of("weight"),
              dBeta: of("bias"),
              lanes,
              dy: output.gradient.into,
              x: x.data,
              stats,
              gamma,
              groups,
              F,
              lddx,
              lddy: output.gradient.stride,
              ldx: x.stride,
              accumulate: x.gradient?.claim() ?? 0,
            });
          },
        };
      },
    };
  },
};
