/**
 * What the GPU runs for each kernel of the table: the passes of its shader in core/shaders/, how many workgroups each
 * takes, and the declaration of its arguments.
 *
 * @module
 */

import attention from "../shaders/attention.wgsl" with { type: "text" };
import common from "../shaders/common.wgsl" with { type: "text" };
import copy from "../shaders/copy.wgsl" with { type: "text" };
import dropout from "../shaders/dropout.wgsl" with { type: "text" };
import embedding from "../shaders/embedding.wgsl" with { type: "text" };
import gru from "../shaders/gru.wgsl" with { type: "text" };
import linear from "../shaders/linear.wgsl" with { type: "text" };
import loss from "../shaders/loss.wgsl" with { type: "text" };
import optimizer from "../shaders/optimizer.wgsl" with { type: "text" };
import { type KernelArguments, type KernelName, KERNELS, orderedArguments } from "./kernels.ts";

/** The kernels that a GPU has: all but those for one sequence by itself and those for tests. */
export type GpuKernelName = Exclude<
  KernelName,
  | "randomWords"
  | "packColumns"
  | "packParts"
  | "linearForwardSingle"
  | "gruForwardSingle"
  | "attentionForwardSingle"
  | "probabilitiesSingle"
  | "activation"
>;

/** A kernel on the GPU. */
interface Shader<K extends KernelName> {
  /** Entry points, run one after the other, each with the workgroups it takes: the kernel's name where there is one. */
  readonly passes: { readonly [entry: string]: (args: KernelArguments<K>) => number };
  /** Values of the shader's overridable constants. */
  readonly constants?: (args: KernelArguments<K>) => Record<string, number>;
  /** Numbers that it wants besides its arguments: what is to be the same bits on every device is computed here. */
  readonly extra?: { readonly [name: string]: (args: KernelArguments<K>) => number };
}

/** Invocations of a workgroup, as in common.wgsl. */
const WIDTH = 256;

/** Workgroups with an invocation for each of n numbers. */
function each(n: number): number {
  return Math.ceil(n / WIDTH);
}

/** Workgroups for the tiles of 64 × 64 of a product: 8 groups are 64 columns. */
function tiles({ M, groups }: { readonly M: number; readonly groups: number }): number {
  return Math.ceil(M / 64) * Math.ceil(groups / 8);
}

/** Invocations for the units of a GRU: whole subgroups, as many as a workgroup may have. */
function units({ H }: { readonly H: number }): Record<string, number> {
  return { UNITS: Math.min(WIDTH, Math.ceil(H / 32) * 32) };
}

function lanes(rows: number): number {
  return Math.ceil(rows / 8) * 8;
}

type Shaders = { readonly [K in GpuKernelName]: Shader<K> };

/** The shaders of each file. */
const FILES: readonly { readonly source: string; readonly kernels: Partial<Shaders> }[] = [
  {
    source: copy,
    kernels: {
      rowsIn: { passes: { rowsIn: ({ rows, F }) => each(lanes(rows) * F) } },
      rowsOut: { passes: { rowsOut: ({ rows, F }) => each(rows * F) } },
      sequencesIn: { passes: { sequencesIn: ({ T, rows, F }) => each(T * lanes(rows) * F) } },
      sequencesOut: { passes: { sequencesOut: ({ T, rows, F }) => each(T * rows * F) } },
      activeLanes: { passes: { activeLanes: ({ T, rows }) => each(T * lanes(rows)) } },
      copyGroups: { passes: { copyGroups: ({ groups, F }) => each(groups * F * 8) } },
      copyVector: { passes: { copyVector: ({ n }) => each(n) } },
      clear: { passes: { clear: ({ n }) => each(n) } },
    },
  },
  {
    source: embedding,
    kernels: {
      embeddingForward: { passes: { embeddingForward: ({ T, rows, E }) => each(T * lanes(rows) * E) } },
      embeddingBackward: {
        passes: { embeddingBackward: ({ first, step, count }) => Math.ceil((count - first) / step) },
      },
    },
  },
  {
    source: linear,
    kernels: {
      packForward: { passes: { packForward: ({ M, K }) => each(M * K) } },
      packBackward: { passes: { packBackward: ({ M, K }) => each(M * K) } },
      linearForward: { passes: { linearForward: tiles } },
      linearBackwardInput: { passes: { linearBackwardInput: tiles } },
      turnInput: { passes: { turnInput: ({ F, groups }) => each(F * groups * 8) } },
      linearBackwardWeight: { passes: { linearBackwardWeight: ({ M, N }) => Math.ceil(M / 64) * Math.ceil(N / 64) } },
      linearBackwardBias: { passes: { linearBackwardBias: ({ M }) => each(M * 8) } },
    },
  },
  {
    source: gru,
    kernels: {
      gruPackBias: { passes: { gruPackBias: ({ H }) => each(H) } },
      gruForward: { passes: { gruForward: ({ groups }) => 2 * groups }, constants: units },
      gruBackward: { passes: { gruBackward: ({ groups }) => 2 * groups }, constants: units },
    },
  },
  {
    source: attention,
    kernels: {
      attentionForward: {
        passes: {
          attentionScores: ({ T, groups }) => T * groups,
          attentionSoftmax: ({ groups }) => groups,
          attentionContext: ({ groups, D }) => each(groups * D * 8),
        },
      },
      attentionBackward: {
        passes: {
          attentionBackwardWeights: ({ T, groups }) => T * groups,
          attentionBackwardSoftmax: ({ groups }) => groups,
          attentionBackwardV: ({ A }) => each(A * 8),
          attentionBackwardHidden: ({ groups, A }) => each(groups * A * 8),
        },
      },
    },
  },
  {
    source: dropout,
    kernels: {
      dropoutMask: {
        passes: { dropoutMask: ({ T, groups, F }) => each(T * groups * 8 * Math.ceil(F / 4)) },
        // A GPU's division may be off by some units in the last place.
        extra: { keep: ({ p }) => 1 / Math.fround(1 - Math.fround(p)) },
      },
      dropoutApply: { passes: { dropoutApply: ({ groups, F }) => each(groups * F * 8) } },
    },
  },
  {
    source: loss,
    kernels: {
      bceLoss: { passes: { bceLoss: () => 1 } },
      crossEntropyLoss: { passes: { crossEntropyLoss: () => 1 } },
      mseLoss: { passes: { mseLoss: () => 1 } },
      sigmoidGroups: { passes: { sigmoidGroups: ({ groups, O }) => each(groups * O * 8) } },
      softmaxGroups: { passes: { softmaxGroups: ({ groups }) => each(groups * 8) } },
    },
  },
  {
    source: optimizer,
    kernels: {
      sumBlocks: { passes: { sumBlocks: ({ n }) => each(n) } },
      averageGradients: { passes: { averageGradients: ({ n }) => each(n) } },
      sumSquares: { passes: { sumSquares: () => 1 } },
      gradientNorm: { passes: { gradientNorm: () => 1 } },
      clipNorm: { passes: { clipNorm: ({ n }) => each(n) } },
      clipValue: { passes: { clipValue: ({ n }) => each(n) } },
      adam: { passes: { adam: ({ n }) => each(n) } },
      sgd: { passes: { sgd: ({ n }) => each(n) } },
      rmsprop: { passes: { rmsprop: ({ n }) => each(n) } },
    },
  },
];

/** A kernel's shader, found by name. */
interface FoundShader extends Shader<KernelName> {
  /** Number of its file. */
  readonly file: number;
}

const BY_NAME = new Map(
  FILES.flatMap(({ kernels }, file) =>
    Object.entries(kernels).map(([name, shader]) => [name, { ...shader, file } as FoundShader])
  ),
);

/** The shader of a kernel. */
export function shaderOf(kernel: KernelName): FoundShader {
  const shader = BY_NAME.get(kernel);
  if (!shader) throw new TypeError(`Cannot run kernel "${kernel}" on a GPU`);
  return shader;
}

const TYPES = { tensor: "u32", dim: "u32", scalar: "f32" };

/** A kernel's arguments as WGSL: what core/device/webgpu.ts writes, number by number. */
function declaration(kernel: KernelName): string {
  const fields = [
    ...orderedArguments(kernel).map(({ name, kind }) => `  ${name}: ${TYPES[kind]},`),
    ...Object.keys(shaderOf(kernel).extra ?? {}).map((name) => `  ${name}: f32,`),
  ];
  return `struct Args_${kernel} {\n${fields.join("\n")}\n}\n` +
    `@group(0) @binding(1) var<uniform> args_${kernel}: Args_${kernel};\n`;
}

/** The text of each file, ready to compile. */
export function shaderTexts(): string[] {
  return FILES.map(({ source, kernels }) =>
    [...Object.keys(kernels).map((name) => declaration(name as KernelName)), common, source].join("\n")
  );
}

/** Most numbers that any kernel is called with. */
export const MOST_ARGUMENTS: number = Math.max(
  ...(Object.keys(KERNELS) as KernelName[]).map((name) =>
    orderedArguments(name).length + Object.keys(BY_NAME.get(name)?.extra ?? {}).length
  ),
);
