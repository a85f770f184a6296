import { groupStride, type LayerType, newValue } from "./layer.ts";

/** Ways to make one row of all steps, by the number that the kernels know them by. */
export const WAYS = ["last", "mean", "max"] as const;

/** A way to make one row of all steps. */
export type Pooling = typeof WAYS[number];

/** One row of all valid steps of a sequence: the last of them, their mean, or the largest of each number. */
function pooling(way: Pooling): LayerType<Record<never, never>> {
  const which = WAYS.indexOf(way);
  return {
    options: {},
    inputs: { input: ["steps"] },
    outputs: ({ inputs }) => ({ output: { kind: "rows", size: inputs.input!.size } }),
    place: (node) => ({
      over(block, { input }) {
        const x = input!, { T, groups, mask, scratch } = block, F = x.shape.size;
        const output = newValue(block, node.outputs.output!, x.gradient !== null), { data: y, stride } = output;
        const index = scratch.allocate(groups * groupStride(F));
        return {
          outputs: { output },
          forward(task) {
            task.call("poolForward", { y, index, x: x.data, mask, T, groups, F, ldy: stride, ldx: x.stride, which });
          },
          backward(task) {
            if (!x.gradient || !output.gradient) return;
            const args = { T, groups, F, lddx: x.gradient.stride, lddy: output.gradient.stride, which };
            const tensors = { dx: x.gradient.into, dy: output.gradient.into, index, mask };
            task.call("poolBackward", { ...tensors, ...args, accumulate: x.gradient.claim() });
          },
        };
      },
    }),
  };
}

/** The output at the last valid step. */
export const LAST: LayerType<Record<never, never>> = pooling("last");
/** The mean over the valid steps. */
export const MEAN: LayerType<Record<never, never>> = pooling("mean");
/** The largest over the valid steps, number by number, as torch.max: of equals the first gets the gradient. */
export const MAX: LayerType<Record<never, never>> = pooling("max");
