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
import elementwise from "../shaders/elementwise.wgsl" with { type: "text" };
import embedding from "../shaders/embedding.wgsl" with { type: "text" };
import feed from "../shaders/feed.wgsl" with { type: "text" };
import gru from "../shaders/gru.wgsl" with { type: "text" };
import layerNorm from "../shaders/layer_norm.wgsl" with { type: "text" };
import linear from "../shaders/linear.wgsl" with { type: "text" };
import loss from "../shaders/loss.wgsl" with { type: "text" };
import lstm from "../shaders/lstm.wgsl" with { type: "text" };
import optimizer from "../shaders/optimizer.wgsl" with { type: "text" };
import pool from "../shaders/pool.wgsl" with { type: "text" };
import recurrent from "../shaders/recurrent.wgsl" with { type: "text" };
import { fail } from "../errors.ts";
import { controlPlaces } from "./control.ts";
import { type KernelArguments, type KernelName, LANES, orderedArguments, weightSlices } from "./kernels.ts";

/** The kernels that a GPU has: all but those for one sequence by itself and those for tests. */
export type GpuKernelName = Exclude<
  KernelName,
  | "randomWords"
  | "measureSteps"
  | "packColumns"
  | "packParts"
  | "linearForwardSingle"
  | "gruForwardSingle"
  | "lstmForwardSingle"
  | "attentionForwardSingle"
  | "layerNormSingle"
  | "poolSingle"
  | "elementwiseSingle"
  | "probabilitiesSingle"
  | "activation"
>;

/** What an adapter allows a workgroup. */
export interface WorkgroupLimits {
  /** Invocations. */
  readonly maxComputeInvocationsPerWorkgroup: number;
  /** Bytes of memory. */
  readonly maxComputeWorkgroupStorageSize: number;
}

/** A kernel on the GPU. */
interface Shader<K extends KernelName> {
  /** Entry points, run one after the other, each with the workgroups it takes: the kernel's name where there is one. */
  readonly passes: { readonly [entry: string]: (args: KernelArguments<K>) => number };
  /** How often entry points are run where it is more than once: `repetition` counts from 0 then. */
  readonly times?: { readonly [entry: string]: (args: KernelArguments<K>) => number };
  /** Whether calls that do not depend on one another are run at once: `id.y` says which call's arguments to take. */
  readonly many?: boolean;
  /** Values of the shader's overridable constants. */
  readonly constants?: (args: KernelArguments<K>, limits: WorkgroupLimits) => Record<string, number>;
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

/** Most units of a recurrent cell for which a workgroup goes through all steps; more take a dispatch for each step. */
const MOST_UNITS = 256;

/** Workgroups of half a group each that go through all steps, and those for the tiles of one step: 8 units, 4 groups. */
function whole({ H, groups }: { readonly H: number; readonly groups: number }): number {
  return H <= MOST_UNITS ? 2 * groups : 0;
}
function stepwise({ H, groups }: { readonly H: number; readonly groups: number }): number {
  return H <= MOST_UNITS ? 0 : Math.ceil(H / 8) * Math.ceil(groups / 4);
}

/**
 * Invocations for the units of a cell with so many gates in its product: whole subgroups. The sum over the units before is
 * cut into slices of 16 units or more, as many as a workgroup has invocations and memory for: see core/shaders/recurrent.wgsl.
 */
function units(gates: number) {
  return ({ H }: { readonly H: number }, limits: WorkgroupLimits): Record<string, number> => {
    const most = Math.min(limits.maxComputeInvocationsPerWorkgroup, 1024),
      vectors = limits.maxComputeWorkgroupStorageSize / 16;
    const UNITS = Math.min(MOST_UNITS, Math.ceil(H / 32) * 32);
    const enough = (slices: number) =>
      slices * UNITS <= most && slices * 16 <= H && (1 + gates * (slices - 1)) * UNITS <= vectors;
    let SLICES = 1;
    while (enough(SLICES + 1)) SLICES++;
    return { UNITS, SLICES };
  };
}

function lanes(rows: number): number {
  return Math.ceil(rows / LANES) * LANES;
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
      classesIn: { passes: { classesIn: ({ T, rows }) => each(T * lanes(rows)) } },
      maskLanes: { passes: { maskLanes: ({ groups, F }) => each(groups * F * LANES) } },
      copyGroups: { passes: { copyGroups: ({ groups, F }) => each(groups * F * LANES) } },
      copyVector: { passes: { copyVector: ({ n }) => each(n) }, many: true },
      clear: { passes: { clear: ({ n }) => each(n) }, many: true },
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
      packForward: { passes: { packForward: ({ M, K }) => each(M * K) }, many: true },
      packBackward: { passes: { packBackward: ({ M, K }) => each(M * K) }, many: true },
      linearForward: { passes: { linearForward: tiles } },
      linearBackwardInput: { passes: { linearBackwardInput: tiles } },
      transposeInput: { passes: { transposeInput: ({ F, groups }) => each(F * groups * LANES) } },
      linearBackwardWeight: {
        passes: {
          linearBackwardWeight: (args) => Math.ceil(args.M / 64) * Math.ceil(args.N / 64) * weightSlices(args),
          linearBackwardWeightSum: (args) => weightSlices(args) > 1 ? each(args.M * args.N) : 0,
        },
        extra: { slices: weightSlices },
      },
      linearBackwardBias: { passes: { linearBackwardBias: ({ M }) => Math.ceil(M / 4) }, many: true },
    },
  },
  {
    source: recurrent + gru,
    kernels: {
      gruPackBias: { passes: { gruPackBias: ({ H }) => each(H) }, many: true },
      gruForward: {
        passes: { gruForward: whole, gruForwardStep: stepwise },
        times: { gruForwardStep: ({ T }) => T },
        constants: units(3),
      },
      gruBackward: {
        passes: { gruBackward: whole, gruBackwardStep: stepwise },
        times: { gruBackwardStep: ({ T }) => T + 1 },
        constants: units(3),
      },
    },
  },
  {
    source: recurrent + lstm,
    kernels: {
      lstmPackBias: { passes: { lstmPackBias: ({ H }) => each(4 * H) }, many: true },
      lstmForward: {
        passes: { lstmForward: whole, lstmForwardStep: stepwise },
        times: { lstmForwardStep: ({ T }) => T },
        constants: units(4),
      },
      lstmBackward: {
        passes: { lstmBackward: whole, lstmBackwardStep: stepwise },
        times: { lstmBackwardStep: ({ T }) => T + 1 },
        constants: units(4),
      },
    },
  },
  {
    source: attention,
    kernels: {
      attentionForward: {
        passes: {
          attentionScores: ({ T, groups }) => T * groups,
          attentionSoftmax: ({ groups }) => groups,
          attentionContext: ({ groups, D }) => each(groups * D * LANES),
        },
      },
      attentionBackward: {
        passes: {
          attentionBackwardWeights: ({ T, groups }) => T * groups,
          attentionBackwardSoftmax: ({ groups }) => groups,
          attentionBackwardV: ({ A }) => Math.ceil(A / 4),
          attentionBackwardHidden: ({ groups, A }) => each(groups * A * LANES),
        },
      },
      attentionAsk: {
        passes: {
          attentionAskScores: ({ T, groups }) => T * groups,
          attentionAskSoftmax: ({ groups }) => groups,
          attentionAskContext: ({ groups, D }) => each(groups * D * LANES),
        },
      },
      attentionAskBackward: {
        passes: {
          attentionAskBackwardWeights: ({ T, groups }) => T * groups,
          attentionAskBackwardSoftmax: ({ groups }) => groups,
          attentionAskBackwardV: ({ A }) => each(A * LANES),
          attentionAskBackwardKeys: ({ groups, A }) => each(groups * A * LANES),
        },
      },
    },
  },
  {
    source: feed,
    kernels: {
      nextTokens: { passes: { nextTokens: ({ groups }) => groups * LANES } },
      gatherRows: { passes: { gatherRows: ({ groups, E }) => each(groups * E * LANES) } },
      scatterRows: { passes: { scatterRows: ({ E }) => each(E) } },
      replaceLanes: { passes: { replaceLanes: ({ groups, F }) => each(groups * F * LANES) } },
      alignmentOut: { passes: { alignmentOut: ({ U, T, rows }) => each(U * T * rows) } },
    },
  },
  {
    source: dropout,
    kernels: {
      dropoutMask: {
        passes: { dropoutMask: ({ T, groups, F }) => each(T * groups * LANES * Math.ceil(F / 4)) },
        // A GPU's division may be off by some units in the last place.
        extra: { keep: ({ p }) => 1 / Math.fround(1 - Math.fround(p)) },
      },
      dropoutAccumulate: { passes: { dropoutAccumulate: ({ groups, F }) => each(groups * F * LANES) } },
      dropoutApply: { passes: { dropoutApply: ({ groups, F }) => each(groups * F * LANES) } },
    },
  },
  {
    source: layerNorm,
    kernels: {
      layerNormForward: { passes: { layerNormForward: ({ groups }) => groups } },
      layerNormBackward: {
        passes: {
          layerNormBackwardParameters: ({ F, dGamma, dBeta }) => dGamma || dBeta ? Math.ceil(F / 4) : 0,
          layerNormBackward: ({ groups }) => groups,
        },
      },
    },
  },
  {
    source: pool,
    kernels: {
      poolForward: { passes: { poolForward: ({ groups, F }) => each(groups * F * LANES) } },
      poolBackward: { passes: { poolBackward: ({ T, groups, F }) => each(T * groups * F * LANES) } },
    },
  },
  {
    source: elementwise,
    kernels: {
      elementwiseForward: { passes: { elementwiseForward: ({ groups, F }) => each(groups * F * LANES) } },
      elementwiseBackward: { passes: { elementwiseBackward: ({ groups, F }) => each(groups * F * LANES) } },
    },
  },
  {
    source: loss,
    kernels: {
      bceLoss: { passes: { bceLoss: () => 1 } },
      crossEntropyLoss: { passes: { crossEntropyLoss: () => 1 } },
      binaryFocalLoss: { passes: { binaryFocalLoss: () => 1 } },
      crossEntropySmoothLoss: { passes: { crossEntropySmoothLoss: () => 1 } },
      focalLoss: { passes: { focalLoss: () => 1 } },
      mseLoss: { passes: { mseLoss: () => 1 } },
      maeLoss: { passes: { maeLoss: () => 1 } },
      huberLoss: { passes: { huberLoss: () => 1 } },
      quantileLoss: { passes: { quantileLoss: () => 1 } },
      sigmoidGroups: { passes: { sigmoidGroups: ({ groups, O }) => each(groups * O * LANES) } },
      softmaxGroups: { passes: { softmaxGroups: ({ groups }) => each(groups * LANES) } },
    },
  },
  {
    source: optimizer,
    kernels: {
      sumBlocks: { passes: { sumBlocks: ({ n }) => each(n) }, many: true },
      averageGradients: { passes: { averageGradients: ({ n }) => each(n) }, many: true },
      sumSquares: { passes: { sumSquares: () => 1 }, many: true },
      gradientNorm: { passes: { gradientNorm: () => 1 } },
      clipNorm: { passes: { clipNorm: ({ n }) => each(n) }, many: true },
      clipValue: { passes: { clipValue: ({ n }) => each(n) }, many: true },
      adam: { passes: { adam: ({ n }) => each(n) }, many: true },
      sgd: { passes: { sgd: ({ n }) => each(n) }, many: true },
      rmsprop: { passes: { rmsprop: ({ n }) => each(n) }, many: true },
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
  if (!shader) throw fail("kernel-call", `run kernel "${kernel}"`, "there is no shader of it", { name: kernel });
  return shader;
}

const TYPES = { tensor: "u32", dim: "u32", scalar: "f32" };

/** Calls that are run at once, at most. */
export const MOST_CALLS = 64;

/** A kernel's arguments as WGSL: what core/device/webgpu.ts writes, number by number. */
function declaration(kernel: KernelName): string {
  const { extra = {}, many } = shaderOf(kernel);
  const fields = [
    ...orderedArguments(kernel).map(({ name, kind }) => `${name}: ${TYPES[kind]}`),
    ...Object.keys(extra).map((name) => `${name}: f32`),
  ];
  // In arrays, each begins at a multiple of 16 bytes.
  while (fields.length % 4) fields.push(`unused${fields.length}: u32`);
  const type = `Args_${kernel}`;
  return `struct ${type} {\n  ${fields.join(",\n  ")},\n}\n` +
    `@group(0) @binding(1) var<uniform> args_${kernel}: ${many ? `array<${type}, ${MOST_CALLS}>` : type};\n`;
}

/** Numbers that a kernel's arguments take. */
export function argumentWords(kernel: KernelName): number {
  const words = orderedArguments(kernel).length + Object.keys(shaderOf(kernel).extra ?? {}).length;
  return Math.ceil(words / 4) * 4;
}

/** The text of each file, ready to compile. */
export function shaderTexts(): string[] {
  const constants = [["LANES", LANES] as const, ...controlPlaces()].map(([name, n]) => `const ${name} = ${n}u;\n`).join(
    "",
  );
  return FILES.map(({ source, kernels }) =>
    [...Object.keys(kernels).map((name) => declaration(name as KernelName)), constants, common, source].join("\n")
  );
}

/** Bytes of arguments that a shader may look at from where a call's begin. */
export const ARGUMENT_BYTES: number = Math.max(
  ...[...BY_NAME].map(([name, { many }]) => 4 * argumentWords(name as KernelName) * (many ? MOST_CALLS : 1)),
);
