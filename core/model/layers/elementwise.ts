import { from } from "../../device/arena.ts";
import { LANES } from "../../device/kernels.ts";
import { anyGradient, groupsOfValue, type LayerType, newValue } from "./layer.ts";

/** Functions of each number, by the number that the kernels know them by, and ONNX's names. */
export const ELEMENTWISE = ["Tanh", "Relu", "Sigmoid"] as const;

/** A function of each number; steps behind a sequence's length stay 0. */
function elementwise(operator: typeof ELEMENTWISE[number]): LayerType<Record<never, never>> {
  const which = ELEMENTWISE.indexOf(operator);
  return {
    options: {},
    inputs: { input: ["rows", "steps"] },
    outputs: ({ inputs }) => ({ output: inputs.input! }),
    place: () => ({
      over(block, { input }) {
        const x = input!, output = newValue(block, x.shape, x.gradient !== null), { mask } = block;
        const groups = groupsOfValue(block, x.shape), F = x.shape.size, { data: y, stride: ldy } = output;
        return {
          outputs: { output },
          forward(task) {
            task.call("elementwiseForward", { y, x: x.data, groups, F, ldy, ldx: x.stride, which });
            if (x.shape.kind === "steps") task.call("maskLanes", { x: y, mask, groups, F, ldx: ldy });
          },
          backward(task) {
            if (!x.gradient || !output.gradient) return;
            const { into: dx, stride: lddx } = x.gradient, { into: dy, stride: lddy } = output.gradient;
            const args = { dx, dy, y, groups, F, lddx, lddy, ldy, which };
            task.call("elementwiseBackward", { ...args, accumulate: x.gradient.claim() });
          },
        };
      },
    }),
  };
}

/** tanh of each number. */
export const TANH: LayerType<Record<never, never>> = elementwise("Tanh");
/** max(0, x) of each number. */
export const RELU: LayerType<Record<never, never>> = elementwise("Relu");
/** 1 / (1 + e^−x) of each number. */
export const SIGMOID: LayerType<Record<never, never>> = elementwise("Sigmoid");

/** Rows, or steps, side by side, in the order given: torch.cat over the last dimension. */
export const CONCAT: LayerType<Record<never, never>> = {
  options: {},
  inputs: { "*": ["rows", "steps"] },
  outputs({ inputs }) {
    const shapes = Object.values(inputs), [first] = shapes;
    if (shapes.length < 2) throw new Error(`it must have two inputs or more, got ${shapes.length}`);
    const other = shapes.find(({ kind }) => kind !== first!.kind);
    if (other) throw new Error(`its inputs must be all rows or all steps, got ${first!.kind} and ${other.kind}`);
    return { output: { kind: first!.kind, size: shapes.reduce((sum, { size }) => sum + size, 0) } };
  },
  place: (node) => ({
    over(block, inputs) {
      const output = newValue(block, node.outputs.output!, anyGradient(inputs)), { data, stride } = output;
      const groups = groupsOfValue(block, output.shape);
      let place = 0;
      const parts = Object.values(inputs).map((value) => {
        const at = place * LANES;
        place += value.shape.size;
        return { value, at };
      });
      return {
        outputs: { output },
        forward(task) {
          for (const { value: { data: src, stride: ldsrc, shape: { size: F } }, at } of parts) {
            task.call("copyGroups", { dst: from(data, at), src, groups, F, lddst: stride, ldsrc, accumulate: 0 });
          }
        },
        backward(task) {
          for (const { value: { gradient, shape: { size: F } }, at } of parts) {
            if (!gradient) continue;
            const src = from(output.gradient!.into, at), sizes = { groups, F, lddst: gradient.stride, ldsrc: stride };
            task.call("copyGroups", { dst: gradient.into, src, ...sizes, accumulate: gradient.claim() });
          }
        },
      };
    },
  }),
};
