/** The parameters of decoders, and where they are. */

import type { Tensor } from "../../device/kernels.ts";
import type { ParameterSpec, ParameterStore, Weight } from "../parameters.ts";
import type { Cell } from "./cells.ts";
import { type FullDecoderOptions, sizesOf } from "./decoder_options.ts";
import type { NodeShape } from "./layer.ts";
import { besideName, type Node } from "./node.ts";

/** A weight with its bias. */
export interface Affine {
  readonly weight: Weight;
  readonly bias: Tensor | null;
  /** Offset of the bias parameter. */
  readonly biasOffset: number;
}

/** A layer's cell in place. */
export interface CellWeights {
  /** W_ih by what it reads: the layer below, or of the first layer what the decoder is fed. */
  readonly input: Weight;
  readonly hidden: Weight;
  /** Sums of the biases, in the order of the buffer of gates; 0 without biases. */
  readonly bias: Tensor;
  readonly biasIh: number | null;
  readonly biasHh: number | null;
}

/** A decoder in place. */
export interface DecoderWeights {
  readonly cells: readonly CellWeights[];
  /** The part of the first layer's W_ih that reads the context. */
  readonly context: Weight;
  readonly asks: Affine;
  readonly answers: Weight;
  readonly v: Tensor;
  readonly vOffset: number;
  readonly table: Tensor | null;
  readonly tableOffset: number;
  readonly projection: Affine | null;
  readonly fc: Affine;
}

/** The names of a decoder's parameters: itself, and what is beside it in the PyTorch module. */
function names(name: string) {
  const beside = (full: string) => besideName(name, full);
  return { own: (full: string) => `${name}.${full}`, beside };
}

/** A decoder's parameters, in PyTorch's order. */
export function parameters(cell: Cell, node: NodeShape<FullDecoderOptions>): ParameterSpec[] {
  const { H, D, E, O, A, tokens } = sizesOf(node), { numLayers, cell: cellName, bias, tied } = node.options;
  const near = 1 / Math.sqrt(H), rows = cell.gates * H, W = H + D + E;
  const affine = (name: string, out: number, wide: number): ParameterSpec[] =>
    ["weight", "bias"].map((what) => ({
      name: `${name}.${what}`,
      beside: true,
      shape: what === "bias" ? [out] : [out, wide],
      bound: 1 / Math.sqrt(wide),
    }));
  return [
    ...affine("attention.attn", A, H + D),
    { name: "attention.v.weight", beside: true, shape: [1, A], bound: 1 / Math.sqrt(A) },
    ...tokens
      ? [{ name: "embedding.weight", shape: [O, E], bound: 1, normal: true, ...tied && { also: "fc.weight" } }]
      : [],
    ...Array.from({ length: numLayers }, (_, l) => [
      { name: `${cellName}.weight_ih_l${l}`, shape: [rows, l ? H : E + D], bound: near },
      { name: `${cellName}.weight_hh_l${l}`, shape: [rows, H], bound: near },
      ...bias ? ["ih", "hh"].map((b) => ({ name: `${cellName}.bias_${b}_l${l}`, shape: [rows], bound: near })) : [],
    ]).flat(),
    ...tied ? [...affine("projection", E, W), ...affine("fc", O, E).slice(1)] : affine("fc", O, W),
  ];
}

/** Places them. */
export function placeWeights(cell: Cell, node: Node<FullDecoderOptions>, store: ParameterStore): DecoderWeights {
  const { H, D, E, tokens } = sizesOf(node), { options: { numLayers, cell: cellName, bias, tied } } = node;
  const { own, beside } = names(node.name), table = own("embedding.weight"), attn = beside("attention.attn.weight");
  const affine = (weight: Weight, name: string): Affine => ({
    weight,
    bias: store.copy(beside(`${name}.bias`)),
    biasOffset: store.parameter(beside(`${name}.bias`)).offset,
  });
  const rotate = cell.rotate * H;
  const cells = Array.from({ length: numLayers }, (_, l): CellWeights => {
    const full = (what: string) => own(`${cellName}.${what}_l${l}`);
    const [ih, hh] = bias ? [store.parameter(full("bias_ih")), store.parameter(full("bias_hh"))] : [];
    return {
      input: store.weight(full("weight_ih"), { rotate, columns: l ? H : E }),
      hidden: store.weight(full("weight_hh")),
      bias: store.vector(4 * H, (task, dst) => {
        if (!ih || !hh) return;
        const [biasIh, biasHh] = [store.valuesOf(ih.name), store.valuesOf(hh.name)];
        cell.packBias(task, { bias: dst, biasIh, biasHh, H });
      }),
      biasIh: ih?.offset ?? null,
      biasHh: hh?.offset ?? null,
    };
  });
  return {
    cells,
    context: store.weight(own(`${cellName}.weight_ih_l0`), { rotate, skip: E, columns: D }),
    asks: affine(store.weight(attn, { columns: H }), "attention.attn"),
    answers: store.weight(attn, { columns: D, skip: H }),
    v: store.copy(beside("attention.v.weight")),
    vOffset: store.parameter(beside("attention.v.weight")).offset,
    table: tokens ? store.valuesOf(table) : null,
    tableOffset: tokens ? store.parameter(table).offset : 0,
    projection: tied ? affine(store.weight(beside("projection.weight")), "projection") : null,
    fc: affine(store.weight(tied ? table : beside("fc.weight")), "fc"),
  };
}
