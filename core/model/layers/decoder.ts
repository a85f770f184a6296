import { CELLS } from "./cells.ts";
import { type DecoderOptions, type FullDecoderOptions, sizesOf } from "./decoder_options.ts";
import { DecoderPass } from "./decoder_pass.ts";
import { parameters, placeWeights } from "./decoder_weights.ts";
import type { LayerType, NodeShape } from "./layer.ts";
import type { Node } from "./node.ts";

/** Throws what does not fit. */
function check({ inputs, options }: NodeShape<DecoderOptions>): void {
  const { hiddenSize: H, numLayers = 1, cell = "gru", embeddingDim, tied, shift } = options;
  const { targets, state, cell: cells, start, keys, answers } = inputs,
    tokens = targets!.kind === "tokens",
    L = numLayers;
  if (tokens && embeddingDim === undefined) throw new Error("tokens need an embeddingDim");
  if (!tokens && embeddingDim !== undefined) throw new Error("embeddingDim belongs to tokens, its targets are numbers");
  if (!tokens && tied) throw new Error("tied belongs to tokens, its targets are numbers");
  if (tokens && targets!.size < 4) {
    throw new Error(`its tokens must be 4 or more, with padding 0, unknown 1, start 2 and end 3, got ${targets!.size}`);
  }
  if (tokens && start) throw new Error('its input "start" belongs to numbers: tokens begin with 2');
  if (start && !shift) throw new Error('its input "start" belongs to decoders that shift');
  if (!tokens && shift && !start) {
    throw new Error('its input "start" is missing: the numbers (B, O) that it is fed first');
  }
  if (start && start.size !== targets!.size) {
    throw new Error(`its input "start" must have ${targets!.size} numbers, as its targets have, got ${start.size}`);
  }
  if (cells && cell !== "lstm") throw new Error('its input "cell" belongs to the cell "lstm"');
  const { A } = sizesOf({ inputs, options } as NodeShape<DecoderOptions>);
  if (answers && shift) throw new Error('its input "answers" belongs to decoders that do not shift');
  if (answers && (answers.size !== A || answers.axis !== keys!.axis)) {
    throw new Error(`its input "answers" must have ${A} numbers at every step of its keys, got ${answers.size}`);
  }
  for (const [port, shape] of [["state", state], ["cell", cells]] as const) {
    if (!shape) continue;
    const got = shape.size * (shape.count ?? 1);
    if (got === L * H) continue;
    throw new Error(`its input "${port}" must have numLayers · hiddenSize = ${L * H} numbers, got ${got}`);
  }
}

/**
 * A recurrent decoder that asks its keys anew at every step (Bahdanau, Cho and Bengio 2014, arXiv:1409.0473):
 *
 *   e_t = what it is fed: START or `start` first, then the target of the step before, or its own output of that step
 *   c_t = Σ_s softmax_s(v · tanh(attn [s_t; key_s])) key_s       s_t: the last layer's state before the step
 *   s_t+1 = cell([e_t; c_t], s_t)       output_t = fc [s_t+1; c_t; e_t], tied: fc tanh(projection […])
 *
 * `answers`, the part of attn that reads the keys times these, may be given where they are known from before: it is not
 * trained then. Its steps are along the time axis of `targets`. `inputs["NAME.teacher"]` (B, U) says where it is fed targets, 1, and
 * where its own output, 0; by default 1 everywhere. Of tokens that is the likeliest but PAD and START, and no gradient flows
 * back through it; of numbers the numbers, and it does. None flows to `targets`.
 *
 * Parameters, for a decoder named `decoder`: attention.attn.weight (A, H + D), attention.attn.bias, attention.v.weight,
 * decoder.embedding.weight (O, E), decoder.gru.weight_ih_l0 (3H, E + D), …, fc.weight (O, H + D + E), fc.bias; tied:
 * projection.weight (E, H + D + E), projection.bias, fc.bias.
 */
export const DECODER: LayerType<DecoderOptions> = {
  options: {
    hiddenSize: { type: "integer", least: 1, most: 65536, about: "numbers in a state" },
    numLayers: { type: "integer", default: 1, least: 1, most: 64, about: "layers, one on another" },
    cell: { type: "choice", default: "gru", choices: Object.keys(CELLS), about: "the recurrent cell" },
    bias: { type: "boolean", default: true, about: "biases in the cells" },
    attentionSize: { type: "integer", optional: true, least: 1, most: 65536, about: "width of the attention" },
    embeddingDim: { type: "integer", optional: true, least: 1, most: 65536, about: "numbers of a token's row" },
    shift: { type: "boolean", default: true, about: "whether it is fed the step before rather than the step itself" },
    tied: { type: "boolean", default: false, about: "whether the readout's weight is the embedding's" },
    dropout: { type: "number", default: 0, least: 0, below: 1, about: "probability of dropout" },
    layerDropout: { type: "number", default: 0, least: 0, below: 1, about: "the same between layers" },
  },
  inputs: {
    keys: ["steps"],
    state: ["rows", "states"],
    targets: ["tokens", "steps"],
    "start?": ["rows"],
    "cell?": ["rows", "states"],
    "answers?": ["steps"],
  },
  manyAxes: true,
  outputs(node) {
    check(node);
    const { axis } = node.inputs.targets!, { axis: across } = node.inputs.keys!, { H, D, O } = sizesOf(node);
    return {
      output: { kind: "steps", size: O, axis },
      state: { kind: "steps", size: H, axis },
      states: { kind: "steps", size: H * node.options.numLayers! * CELLS[node.options.cell!].states.length, axis },
      context: { kind: "steps", size: D, axis },
      weights: { kind: "alignment", size: 1, axis, across },
    };
  },
  parameters: (node) => parameters(CELLS[node.options.cell!], node as NodeShape<FullDecoderOptions>),
  streams: ({ options: { layerDropout, numLayers = 1 } }) => layerDropout ? numLayers + 1 : 2,
  work(node) {
    const { H, D, E, O, A } = sizesOf(node), { gates } = CELLS[node.options.cell!], { numLayers, tied } = node.options;
    const readout = tied ? E * (H + D + E + O) : O * (H + D + E);
    return { products: gates * H * (E + D + H + 2 * H * (numLayers! - 1)) + A * (H + D) + readout, state: H };
  },
  given(node) {
    const { axis } = node.inputs.targets!, { H, D, E, tokens } = sizesOf(node), { numLayers = 1 } = node.options;
    const mask = (size: number) => ({ kind: "steps" as const, size, axis });
    return {
      ...node.options.shift && { teacher: mask(1) },
      ...tokens && { targetMask: mask(E) },
      readoutMask: mask(H + D + E),
      ...Object.fromEntries(Array.from({ length: numLayers - 1 }, (_, l) => [`layerMask${l + 1}`, mask(H)])),
    };
  },
  place(node, store) {
    const own = node as Node<FullDecoderOptions>, cell = CELLS[own.options.cell];
    const weights = placeWeights(cell, own, store);
    return { over: (block, inputs) => new DecoderPass(cell, own, weights, block, inputs) };
  },
};
