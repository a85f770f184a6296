/** What comes into a network: numbers per step, a row per sequence, tokens. */

import { from } from "../../device/arena.ts";
import { type LayerType, newValue } from "./layer.ts";

/** Options of the inputs. */
export interface InputOptions {
  /** Numbers per step or per sequence; for tokens, the size of the vocabulary. */
  size: number;
}

/** Options of inputs with steps. */
export interface StepInputOptions extends InputOptions {
  /** The time axis that its steps are along, by a name of your own: see `Sequences.axes`. Default: that of x. */
  axis?: string;
}

const SIZE = { type: "integer", least: 1, most: 1e8, about: "numbers per row" } as const;
const AXIS = { type: "text", optional: true, about: "time axis, where it is not that of x" } as const;

/** Numbers at every step: (B, T, size). */
export const NUMBERS: LayerType<StepInputOptions> = {
  options: { size: SIZE, axis: AXIS },
  inputs: {},
  outputs: ({ options: { size } }) => ({ output: { kind: "steps", size } }),
  place: (node) => ({
    over(block) {
      const { name, options: { size: F } } = node, { T, rows, row0, lengths } = block, dx = block.io(`${name}.grad`);
      const value = newValue(block, node.outputs.output!, dx !== null), { data, stride, gradient } = value;
      return {
        outputs: { output: value },
        forward(task) {
          const src = from(block.io(name)!, row0 * T * F);
          task.call("sequencesIn", { dst: data, src, lengths, T, rows, F, lddst: stride });
        },
        backward(task) {
          if (!dx || !gradient) return;
          const dst = from(dx, row0 * T * F);
          task.call("sequencesOut", { dst, src: gradient.into, lengths, T, rows, F, ldsrc: stride });
        },
      };
    },
  }),
};

/** A row of numbers for each sequence: (B, size). */
export const VECTOR: LayerType<InputOptions> = {
  options: { size: SIZE },
  inputs: {},
  outputs: ({ options: { size } }) => ({ output: { kind: "rows", size } }),
  place: (node) => ({
    over(block) {
      const { name, options: { size: F } } = node, { rows, row0 } = block, dx = block.io(`${name}.grad`);
      const value = newValue(block, node.outputs.output!, dx !== null), { data, stride, gradient } = value;
      return {
        outputs: { output: value },
        forward(task) {
          const src = from(block.io(name)!, row0 * F);
          task.call("rowsIn", { dst: data, src, rows, F, lddst: stride, ldsrc: F });
        },
        backward(task) {
          if (!dx || !gradient) return;
          const dst = from(dx, row0 * F);
          task.call("rowsOut", { dst, src: gradient.into, rows, F, lddst: F, ldsrc: stride });
        },
      };
    },
  }),
};

/** A token at every step: (B, T). Only embeddings read it. */
export const TOKENS: LayerType<StepInputOptions> = {
  options: { size: { ...SIZE, about: "tokens in the vocabulary" }, axis: AXIS },
  inputs: {},
  outputs: ({ options: { size } }) => ({ output: { kind: "tokens", size } }),
  place: (node) => ({
    over: (block) => ({
      // Embeddings read the tokens where the outside wrote them.
      outputs: {
        output: {
          shape: node.outputs.output!,
          data: from(block.io(node.name)!, block.row0 * block.T),
          stride: 1,
          gradient: null,
        },
      },
      forward: () => {},
      backward: () => {},
    }),
  }),
};

/** Options of an embedding. */
export interface EmbeddingOptions {
  /** Numbers of a token's row. */
  embeddingDim: number;
  /** Token whose row begins as 0 and gets no gradient. Default: none. */
  paddingIdx?: number;
}

/** torch.nn.Embedding: a learned row for each token. Parameter: weight (V, embeddingDim), N(0, 1). */
export const EMBEDDING: LayerType<EmbeddingOptions> = {
  options: {
    embeddingDim: { type: "integer", least: 1, most: 65536, about: "numbers of a token's row" },
    paddingIdx: { type: "integer", optional: true, least: 0, about: "token whose row stays 0" },
  },
  inputs: { input: ["tokens"] },
  outputs({ inputs, options: { embeddingDim, paddingIdx } }) {
    const { size } = inputs.input!;
    if (paddingIdx !== undefined && paddingIdx >= size) {
      throw new Error(`paddingIdx must be below the size of the vocabulary, ${size}, got ${paddingIdx}`);
    }
    return { output: { kind: "steps", size: embeddingDim } };
  },
  parameters: ({ inputs, options: { embeddingDim, paddingIdx } }) => [
    {
      name: "weight",
      shape: [inputs.input!.size, embeddingDim],
      bound: 1,
      normal: true,
      table: true,
      zeroRow: paddingIdx,
    },
  ],
  place(node, store) {
    const table = store.valuesOf(`${node.name}.weight`);
    return {
      over(block, { input }) {
        const { T, rows, row0, lengths } = block, E = node.options.embeddingDim, dx = block.io(`${node.name}.grad`);
        const value = newValue(block, node.outputs.output!, block.backward), { data, stride, gradient } = value;
        return {
          outputs: { output: value },
          forward(task) {
            const args = { dst: data, lengths, T, rows, lddst: stride };
            task.call("embeddingForward", { ...args, table, tokens: input!.data, E });
          },
          // The rows of equal tokens are added up by the plan, over all blocks: see tokens.ts.
          backward(task) {
            if (!dx || !gradient) return;
            const dst = from(dx, row0 * T * E);
            task.call("sequencesOut", { dst, src: gradient.into, lengths, T, rows, F: E, ldsrc: stride });
          },
        };
      },
    };
  },
};
