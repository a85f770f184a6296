import { from } from "../../device/arena.ts";
import { LANES } from "../../device/kernels.ts";
import { anyGradient, groupsOfValue, type LayerType, newValue } from "./layer.ts";
import { maskedOnnx } from "./onnx.ts";
import { newSingle, paddedWidth, rowsOfSingle } from "./single.ts";

/** Functions of each number, by the number that the kernels know them by, and ONNX's names. */
const FUNCTIONS = ["Tanh", "Relu", "Sigmoid"] as const;

/** A function of each number; steps behind a sequence's length stay 0. */
function elementwise(operator: typeof FUNCTIONS[number]): LayerType<Record<never, never>> {
  const which = FUNCTIONS.indexOf(operator);
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
    single: (_node, _store, { input: parts }) => ({
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
    }),
    onnx(context, { inputs }, { input }) {
      const y = context.graph.op(operator, [input!]);
      return { output: inputs.input!.kind === "steps" ? maskedOnnx(context, y) : y };
    },
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
  single: (_node, _store, inputs) => ({
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
  }),
  onnx: ({ graph }, { inputs }, values) => ({
    output: graph.op("Concat", Object.values(values), { axis: Object.values(inputs)[0]!.kind === "rows" ? 1 : 2 }),
  }),
};
