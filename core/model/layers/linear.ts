import { from } from "../../device/arena.ts";
import { LANES } from "../../device/kernels.ts";
import { gradientScratch, groupsOfValue, type LayerType, newValue, transposedSize, weightGradient } from "./layer.ts";
import { layerOf } from "./node.ts";

/** Options of a linear layer. */
export interface LinearOptions {
  /** Numbers it puts out. */
  outFeatures: number;
  /** Whether it has a bias. Default true. */
  bias?: boolean;
}

/**
 * torch.nn.Linear, y = W·x + b, for every row or every step: steps behind a sequence's length are 0. Parameters:
 * weight (outFeatures, F), bias (outFeatures).
 */
export const LINEAR: LayerType<LinearOptions> = {
  options: {
    outFeatures: { type: "integer", least: 1, most: 2 ** 20, about: "numbers it puts out" },
    bias: { type: "boolean", default: true, about: "whether it has a bias" },
  },
  inputs: { input: ["rows", "steps"] },
  products: true,
  outputs: ({ inputs, options: { outFeatures } }) => ({ output: { kind: inputs.input!.kind, size: outFeatures } }),
  parameters({ inputs, options: { outFeatures, bias } }) {
    const bound = 1 / Math.sqrt(inputs.input!.size);
    return [
      { name: "weight", shape: [outFeatures, inputs.input!.size], bound },
      ...bias ? [{ name: "bias", shape: [outFeatures], bound }] : [],
    ];
  },
  work: ({ inputs, options: { outFeatures } }) => ({
    products: inputs.input!.kind === "steps" ? outFeatures * inputs.input!.size : 0,
  }),
  place(node, store) {
    const { name, sources, options: { outFeatures: O, bias: biased } } = node, F = node.inputs.input!.size;
    const weight = store.weight(`${name}.weight`, { gradientOf: layerOf(sources.input!) });
    const bias = biased ? store.copy(`${name}.bias`) : null;
    const offset = biased ? store.parameter(`${name}.bias`).offset : 0;
    return {
      over(block, { input }) {
        const x = input!, groups = groupsOfValue(block, x.shape), { backward, scratch, gradient, mask } = block;
        // Without gaps between groups: losses read it so.
        const output = newValue(block, node.outputs.output!, backward, O * LANES), ldy = output.stride;
        const transposed = scratch.allocate(backward ? transposedSize(F, groups) : 0);
        const products = scratch.allocate(backward ? gradientScratch(block, weight, groups) : 0);
        return {
          outputs: { output },
          forward(task) {
            const args = { x: x.data, panels: weight.forward, bias, M: O, K: F, groups };
            task.call("linearForward", { y: output.data, ...args, ldy, ldx: x.stride });
            if (x.shape.kind === "steps") task.call("maskLanes", { x: output.data, mask, groups, F: O, ldx: ldy });
          },
          backward(task) {
            const dy = output.gradient!.into;
            task.call("transposeInput", { transposed, x: x.data, F, groups, ldx: x.stride });
            weightGradient(task, block, weight, { dy, lddy: ldy, transposed, groups, scratch: products });
            if (biased) {
              task.call("linearBackwardBias", { db: from(gradient, offset), dy, M: O, groups, lddy: ldy, rotate: 0 });
            }
            if (!x.gradient) return;
            const { into: dx, stride: lddx } = x.gradient, panels = weight.backward, accumulate = x.gradient.claim();
            task.call("linearBackwardInput", { dx, dy, panels, M: F, K: O, groups, lddx, lddy: ldy, accumulate });
          },
        };
      },
    };
  },
};
