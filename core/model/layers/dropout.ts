import { from } from "../../device/arena.ts";
import { Gradient, groupsOfValue, type LayerType, newValue } from "./layer.ts";

/** Options of dropout. */
export interface DropoutOptions {
  /** Probability of a number to become 0 while training, 0 ≤ p < 1. */
  p: number;
}

/** torch.nn.Dropout. In evaluation, and where p is 0, its output is its input. A mask may be given from outside. */
export const DROPOUT: LayerType<DropoutOptions> = {
  options: { p: { type: "number", least: 0, below: 1, about: "probability of dropout" } },
  inputs: { input: ["rows", "steps"] },
  outputs: ({ inputs }) => ({ output: inputs.input! }),
  streams: () => 1,
  given: ({ inputs: { input } }) => ({ mask: input! }),
  place: (node) => ({
    over(block, { input }) {
      const { name, options: { p }, stream, sources, uses } = node, x = input!, { dropout: mode } = block;
      const given = mode === "given" ? block.io(`${name}.mask`) : null, random = mode === "random" && p > 0;
      const shared = x.shared === true || uses(sources.input!) > 1;
      if (!given && !random) {
        return { outputs: { output: { ...x, shared } }, forward: () => {}, backward: () => {} };
      }
      const { scratch, words, groups: rowGroups, rows, row0, control, lengths } = block,
        steps = x.shape.kind === "steps";
      const groups = groupsOfValue(block, x.shape), F = x.shape.size, T = steps ? block.T : 1, ld = x.stride;
      const mask = scratch.allocate(groups * ld);
      const value = newValue(block, x.shape, false, ld);
      // What nobody else reads has its gradient changed in place.
      const gradient = x.gradient && new Gradient(shared ? scratch.allocate(groups * ld) : x.gradient.into, ld);
      const strides = { groups, F, ldy: ld, ldx: ld, ldm: ld };
      return {
        outputs: { output: { ...value, gradient } },
        forward(task) {
          if (random) {
            const drawn = { mask, words, control, T, groups: rowGroups, row0, F, ldm: ld, stream, p };
            task.call("dropoutMask", drawn);
          } else if (steps) {
            const src = from(given!, row0 * T * F);
            task.call("sequencesIn", { dst: mask, src, lengths, T, rows, F, lddst: ld });
          } else task.call("rowsIn", { dst: mask, src: from(given!, row0 * F), rows, F, lddst: ld, ldsrc: F });
          task.call("dropoutApply", { y: value.data, x: x.data, mask, ...strides });
        },
        backward(task) {
          if (!x.gradient || !gradient) return;
          const args = { y: x.gradient.into, x: gradient.into, mask, ...strides };
          if (x.gradient.claim()) task.call("dropoutAccumulate", args);
          else task.call("dropoutApply", args);
        },
      };
    },
  }),
};
