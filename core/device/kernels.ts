/**
 * The kernel table: every kernel and its arguments in order. From it come the argument types here, the calls of the
 * WASM module (scripts/build.ts writes its dispatcher from this table), and the checks in tests/device/kernels_test.ts.
 *
 * Order is law: `out` is overwritten, `acc` is changed in place or added to, `in` is only read, then whole numbers
 * (`dims`), then real ones (`scalars`). A name ending in "?" may be null. The shapes, formulas and sources of each
 * stand over the kernel of the same name in core/kernels/.
 *
 * Sequences stand side by side in the lanes of vectors: an activation of F features is a list of groups of 8 rows, each
 * (F, 8), the lanes beyond the last row being 0. Over time: (T, groups, F, 8).
 *
 * Letters: B batch, T steps, U those of a decoder, I input size, V tokens, E width of an embedding (= I), H hidden size, D = H·directions,
 * A attention size, O outputs, Q quantiles of each, F features of any kind, M, N, K of a matrix product; ld… is the distance
 * between groups (of a matrix: between rows), in elements.
 *
 * @module
 */

import type { Live } from "./live.ts";

/** Rows that stand side by side in the lanes of the kernels' vectors: one group. Two vectors of four. */
export const LANES = 8;

/** Rows of a packed matrix in one panel. */
export const PANEL = 5;

/** Rows of a weight's gradient that are made at a time: a multiple of the heights of all tiles. */
export const STRIP = 504;

/** Argument names of one kernel, in order. */
export interface Signature {
  /** Tensors the kernel overwrites. */
  readonly out: readonly string[];
  /** Tensors the kernel changes in place. */
  readonly acc: readonly string[];
  /** Tensors the kernel reads. */
  readonly in: readonly string[];
  /** Whole numbers. */
  readonly dims: readonly string[];
  /** Real numbers. */
  readonly scalars: readonly string[];
}

/** All kernels. */
export const KERNELS = {
  // Moving data: core/kernels/copy.ts
  rowsIn: row({ out: ["dst"], in: ["src?"], dims: ["rows", "F", "lddst", "ldsrc"] }),
  rowsOut: row({ out: ["dst"], in: ["src"], dims: ["rows", "F", "lddst", "ldsrc"] }),
  sequencesIn: row({ out: ["dst"], in: ["src", "lengths"], dims: ["T", "rows", "F", "lddst"] }),
  sequencesOut: row({ out: ["dst"], in: ["src", "lengths"], dims: ["T", "rows", "F", "ldsrc"] }),
  activeLanes: row({ out: ["mask"], in: ["lengths"], dims: ["T", "rows"] }),
  measureSteps: row({ in: ["lengths"], dims: ["rows", "axis"] }),
  classesIn: row({ out: ["dst"], in: ["src", "lengths"], dims: ["T", "rows"] }),
  maskLanes: row({ acc: ["x"], in: ["mask"], dims: ["groups", "F", "ldx"] }),
  copyGroups: row({ acc: ["dst"], in: ["src"], dims: ["groups", "F", "lddst", "ldsrc", "accumulate"] }),
  copyVector: row({ out: ["dst"], in: ["src"], dims: ["n"] }),
  clear: row({ out: ["dst"], dims: ["n"] }),

  // Tokens: core/kernels/embedding.ts
  embeddingForward: row({ out: ["dst"], in: ["table", "tokens", "lengths"], dims: ["T", "rows", "E", "lddst"] }),
  embeddingBackward: row({
    acc: ["dTable"],
    in: ["dx", "tokens", "starts", "positions"],
    dims: ["first", "step", "count", "E"],
  }),

  // Linear: core/kernels/linear.ts
  packForward: row({ out: ["panels"], in: ["w"], dims: ["M", "K", "ldw", "rotate"] }),
  packBackward: row({ out: ["panels"], in: ["w"], dims: ["M", "K", "ldw", "rotate"] }),
  linearForward: row({ out: ["y"], in: ["x", "panels", "bias?"], dims: ["M", "K", "groups", "ldy", "ldx"] }),
  linearBackwardInput: row({
    acc: ["dx"],
    in: ["dy", "panels"],
    dims: ["M", "K", "groups", "lddx", "lddy", "accumulate"],
  }),
  transposeInput: row({ out: ["transposed"], in: ["x"], dims: ["F", "groups", "ldx"] }),
  linearBackwardWeight: row({
    out: ["dw", "scratch"],
    in: ["dy", "transposed"],
    dims: ["M", "N", "groups", "lddw", "lddy", "rotate"],
  }),
  linearBackwardBias: row({ out: ["db"], in: ["dy"], dims: ["M", "groups", "lddy", "rotate"] }),

  // GRU: core/kernels/gru.ts
  gruPackBias: row({ out: ["bias"], in: ["biasIh", "biasHh"], dims: ["H"] }),
  gruForward: row({
    out: ["h"],
    acc: ["gates"],
    in: ["panels", "bias", "mask"],
    dims: ["T", "groups", "H", "ldh", "ldg", "reverse"],
  }),
  gruBackward: row({
    acc: ["dh", "gates"],
    in: ["h", "panels", "mask"],
    dims: ["T", "groups", "H", "lddh", "ldh", "ldg", "reverse"],
  }),

  // LSTM: core/kernels/lstm.ts
  lstmPackBias: row({ out: ["bias"], in: ["biasIh", "biasHh"], dims: ["H"] }),
  lstmForward: row({
    out: ["h", "c"],
    acc: ["gates"],
    in: ["panels", "mask"],
    dims: ["T", "groups", "H", "ldh", "ldc", "ldg", "reverse"],
  }),
  lstmBackward: row({
    acc: ["dh", "dc", "gates"],
    in: ["c", "panels", "mask"],
    dims: ["T", "groups", "H", "lddh", "ldc", "ldg", "reverse"],
  }),

  // Additive attention: core/kernels/attention.ts
  attentionForward: row({
    out: ["context", "weights"],
    acc: ["hidden"],
    in: ["encoded", "query", "v", "mask"],
    dims: ["T", "groups", "D", "A", "ldc", "lda", "lde", "ldq"],
  }),
  attentionBackward: row({
    out: ["dEncoded", "dQuery", "dv", "dScores", "dvLanes"],
    acc: ["hidden"],
    in: ["dContext", "weights", "encoded", "v"],
    dims: ["T", "groups", "D", "A", "ldde", "ldq", "ldc", "lda", "lde"],
  }),
  attentionAsk: row({
    out: ["context", "weights", "hidden"],
    in: ["keys", "encoded", "query", "v", "mask"],
    dims: ["T", "groups", "D", "A", "ldc", "lda", "lde", "ldq", "ldh"],
  }),
  attentionAskBackward: row({
    out: ["dQuery", "dScores"],
    acc: ["hidden", "dEncoded", "dKeys", "dvLanes"],
    in: ["dContext", "weights", "encoded", "keys", "query", "v"],
    dims: ["T", "groups", "D", "A", "ldde", "ldq", "ldc", "lda", "lde", "ldh"],
  }),

  // What a decoder is fed: core/kernels/feed.ts
  nextTokens: row({ acc: ["tokens"], in: ["logits?", "teacher?"], dims: ["groups", "V", "ldl", "pad", "start"] }),
  gatherRows: row({ out: ["dst"], in: ["table", "tokens", "mask"], dims: ["groups", "E", "lddst"] }),
  scatterRows: row({ acc: ["dTable"], in: ["dx", "tokens", "mask"], dims: ["groups", "E", "lddx"] }),
  replaceLanes: row({ acc: ["dst"], in: ["src", "keep"], dims: ["groups", "F", "lddst", "ldsrc", "accumulate"] }),
  alignmentOut: row({ out: ["dst"], in: ["src", "lengths"], dims: ["U", "T", "rows"] }),

  // Dropout: core/kernels/dropout.ts
  dropoutMask: row({
    out: ["mask", "words"],
    in: ["control"],
    dims: ["T", "groups", "row0", "F", "ldm", "stream"],
    scalars: ["p"],
  }),
  dropoutApply: row({ out: ["y"], in: ["x", "mask"], dims: ["groups", "F", "ldy", "ldx", "ldm"] }),
  dropoutAccumulate: row({ acc: ["y"], in: ["x", "mask"], dims: ["groups", "F", "ldy", "ldx", "ldm"] }),
  randomWords: row({ out: ["words"], dims: ["first", "stream", "step", "seedLow", "seedHigh"] }),

  // Layer normalization: core/kernels/layer_norm.ts
  layerNormForward: row({
    out: ["y", "stats"],
    in: ["x", "gamma?", "beta?"],
    dims: ["groups", "F", "ldy", "ldx"],
    scalars: ["eps"],
  }),
  layerNormBackward: row({
    out: ["dGamma?", "dBeta?", "lanes"],
    acc: ["dx"],
    in: ["dy", "x", "stats", "gamma?"],
    dims: ["groups", "F", "lddx", "lddy", "ldx", "accumulate"],
  }),

  // Pooling over time: core/kernels/pool.ts
  poolForward: row({ out: ["y", "index"], in: ["x", "mask"], dims: ["T", "groups", "F", "ldy", "ldx", "which"] }),
  poolBackward: row({
    acc: ["dx"],
    in: ["dy", "index", "mask"],
    dims: ["T", "groups", "F", "lddx", "lddy", "which", "accumulate"],
  }),

  // Functions of each number: core/kernels/elementwise.ts
  elementwiseForward: row({ out: ["y"], in: ["x"], dims: ["groups", "F", "ldy", "ldx", "which"] }),
  elementwiseBackward: row({
    acc: ["dx"],
    in: ["dy", "y"],
    dims: ["groups", "F", "lddx", "lddy", "ldy", "which", "accumulate"],
  }),

  // Losses: core/kernels/loss.ts, loss_classes.ts, loss_numbers.ts
  bceLoss: row({
    out: ["stats", "dLogits"],
    in: ["logits", "targets", "weights?", "posWeight?", "mask?"],
    dims: ["rows", "O"],
    scalars: ["scale"],
  }),
  binaryFocalLoss: row({
    out: ["stats", "dLogits"],
    in: ["logits", "targets", "weights?", "mask?"],
    dims: ["rows", "O"],
    scalars: ["scale", "gamma", "alpha"],
  }),
  crossEntropyLoss: row({
    out: ["stats", "dLogits", "sums"],
    in: ["logits", "targets", "weights?", "mask?"],
    dims: ["rows", "O"],
    scalars: ["scale"],
  }),
  crossEntropySmoothLoss: row({
    out: ["stats", "dLogits", "sums"],
    in: ["logits", "targets", "weights?", "classWeights?", "mask?"],
    dims: ["rows", "O"],
    scalars: ["scale", "smoothing"],
  }),
  focalLoss: row({
    out: ["stats", "dLogits", "sums"],
    in: ["logits", "targets", "weights?", "mask?"],
    dims: ["rows", "O"],
    scalars: ["scale", "gamma", "alpha"],
  }),
  mseLoss: row({
    out: ["stats", "dLogits"],
    in: ["logits", "targets", "weights?", "mask?"],
    dims: ["rows", "O"],
    scalars: ["scale"],
  }),
  maeLoss: row({
    out: ["stats", "dLogits"],
    in: ["logits", "targets", "weights?", "mask?"],
    dims: ["rows", "O"],
    scalars: ["scale"],
  }),
  huberLoss: row({
    out: ["stats", "dLogits"],
    in: ["logits", "targets", "weights?", "mask?"],
    dims: ["rows", "O"],
    scalars: ["scale", "delta"],
  }),
  quantileLoss: row({
    out: ["stats", "dLogits"],
    in: ["logits", "targets", "quantiles", "weights?", "mask?"],
    dims: ["rows", "O", "Q"],
    scalars: ["scale"],
  }),
  sigmoidGroups: row({ out: ["y"], in: ["x"], dims: ["groups", "O"] }),
  softmaxGroups: row({ out: ["y", "sums"], in: ["x"], dims: ["groups", "O"] }),

  // Optimizers: core/kernels/optimizer.ts
  sumBlocks: row({ out: ["grads"], in: ["blocks"], dims: ["n", "count", "stride"] }),
  averageGradients: row({ acc: ["grads"], in: ["fresh", "control"], dims: ["n"] }),
  sumSquares: row({ out: ["sum"], in: ["grads"], dims: ["n"] }),
  gradientNorm: row({ out: ["norm"], in: ["sums"], dims: ["n"] }),
  clipNorm: row({ acc: ["grads"], in: ["norm"], dims: ["n"], scalars: ["maxNorm"] }),
  clipValue: row({ acc: ["grads"], dims: ["n"], scalars: ["limit"] }),
  adam: row({
    acc: ["params", "m", "v", "largest?"],
    in: ["grads", "control"],
    dims: ["n", "decoupled", "amsgrad"],
    scalars: ["newM", "beta2", "newV", "eps", "weightDecay"],
  }),
  sgd: row({
    acc: ["params", "buffer?"],
    in: ["grads", "control"],
    dims: ["n", "nesterov"],
    scalars: ["momentum", "weightDecay"],
  }),
  rmsprop: row({
    acc: ["params", "squares"],
    in: ["grads", "control"],
    dims: ["n"],
    scalars: ["alpha", "fresh", "eps", "weightDecay"],
  }),

  // One sequence by itself: core/kernels/single.ts
  packColumns: row({
    out: ["columns"],
    in: ["w"],
    dims: ["rowParts", "rows", "rotate", "columnParts", "inputs", "ldw"],
  }),
  packParts: row({ out: ["dst"], in: ["src"], dims: ["parts", "n", "rotate"] }),
  linearForwardSingle: row({ out: ["y"], in: ["x", "columns", "bias"], dims: ["rows", "N", "K", "ldy", "ldx"] }),
  gruForwardSingle: row({
    out: ["h"],
    acc: ["gates"],
    in: ["columns", "bias"],
    dims: ["T", "Hp", "ldh", "reverse"],
  }),
  lstmForwardSingle: row({
    out: ["h", "c"],
    acc: ["gates"],
    in: ["columns"],
    dims: ["T", "Hp", "ldh", "reverse"],
  }),
  attentionForwardSingle: row({
    out: ["context", "weights", "hidden"],
    in: ["answers", "encoded", "query", "v"],
    dims: ["T", "Dp", "Ap", "ldo"],
  }),
  layerNormSingle: row({
    out: ["y"],
    in: ["x", "gamma?", "beta?"],
    dims: ["rows", "F", "ldy", "ldx"],
    scalars: ["eps"],
  }),
  poolSingle: row({ out: ["y"], in: ["x"], dims: ["T", "F", "ldx", "which"] }),
  elementwiseSingle: row({ out: ["y"], in: ["x"], dims: ["rows", "F", "ldy", "ldx", "which"] }),
  probabilitiesSingle: row({ acc: ["logits"], dims: ["O", "softmax"] }),

  // Elementwise functions by themselves: core/kernels/simd.ts
  activation: row({ out: ["y"], in: ["x"], dims: ["n", "which"] }),
};

/** A row of the table with what it leaves out filled in; the type keeps every name. */
function row<
  const Out extends readonly string[] = [],
  const Acc extends readonly string[] = [],
  const In extends readonly string[] = [],
  const Dims extends readonly string[] = [],
  const Scalars extends readonly string[] = [],
>(
  signature: { out?: Out; acc?: Acc; in?: In; dims?: Dims; scalars?: Scalars },
): { out: Out; acc: Acc; in: In; dims: Dims; scalars: Scalars } {
  const none = <Names>(names: Names | undefined) => names ?? [] as Names;
  return {
    out: none(signature.out),
    acc: none(signature.acc),
    in: none(signature.in),
    dims: none(signature.dims),
    scalars: none(signature.scalars),
  };
}

/** The name of a kernel. */
export type KernelName = keyof typeof KERNELS;

type Row<K extends KernelName> = typeof KERNELS[K];
type TensorNames<K extends KernelName> = Row<K>["out" | "acc" | "in"][number];
type NumberNames<K extends KernelName> = Row<K>["dims" | "scalars"][number];
type Optional<Name> = Name extends `${infer Base}?` ? Base : never;
type Needed<Name> = Name extends `${string}?` ? never : Name;

/** A place in a device's memory, in 4-byte elements. */
export interface Tensor {
  /** Elements from the start of its space. */
  readonly offset: number;
  /** Elements it holds: the product of its shape. */
  readonly length: number;
  /** Length of each dimension, the outermost first. Where groups lie apart, the last one is the distance. */
  readonly shape: readonly number[];
  /** In the scratch space, of which each thread has its own, rather than in the arena. */
  readonly scratch: boolean;
}

/** The arguments of kernel K, by name. */
export type KernelArguments<K extends KernelName> =
  & { readonly [Name in Needed<TensorNames<K>> & string]: Tensor }
  & { readonly [Name in Optional<TensorNames<K>> & string]: Tensor | null }
  & { readonly [Name in NumberNames<K> & string]: number };

/** One call of a kernel. */
export interface Call {
  /** Which kernel. */
  readonly kernel: KernelName;
  /** Its arguments by name. */
  readonly arguments: { readonly [name: string]: Tensor | number | null };
  /** What ends with the longest row of its block. */
  readonly live?: Live;
}

/**
 * Parts that linearBackwardWeight cuts the groups into on a GPU, so that small weights keep it busy too. `scratch` has
 * room for their products.
 */
export function weightSlices(
  { M, N, groups }: { readonly M: number; readonly N: number; readonly groups: number },
): number {
  const tiles = Math.ceil(M / 64) * Math.ceil(N / 64);
  return Math.min(Math.ceil(BUSY / tiles), Math.ceil(groups / 16));
}

/** Workgroups that keep a large GPU busy: two for each of its processors. */
const BUSY = 264;

/** A kernel's arguments in the order of its call, each with its kind. */
export function orderedArguments(kernel: KernelName): { name: string; kind: "tensor" | "dim" | "scalar" }[] {
  const { out, acc, in: inputs, dims, scalars }: Signature = KERNELS[kernel];
  const as = (kind: "tensor" | "dim" | "scalar") => (name: string) => ({ name: name.replace("?", ""), kind });
  return [
    ...[...out, ...acc, ...inputs].map(as("tensor")),
    ...dims.map(as("dim")),
    ...scalars.map(as("scalar")),
  ];
}
