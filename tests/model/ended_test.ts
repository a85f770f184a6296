/**
 * Rows that have ended: what a block computes no more changes no bit, and nothing that stood there before comes in.
 */

import assert from "node:assert/strict";
import { defineNetwork } from "../../core/model/define.ts";
import { createModel } from "../../core/model/model.ts";
import { Random } from "../../core/random.ts";
import { normals } from "../batches.ts";
import { assertClose, assertIdentical } from "../close.ts";

const B = 21, S = 9, U = 7, V = 11;

interface Kind {
  readonly cell: "gru" | "lstm";
  readonly layers: number;
  readonly bidirectional: boolean;
  readonly tokens: boolean;
  readonly tied?: boolean;
  readonly dropout?: number;
  /** Share of the steps that are fed targets; absent: all. */
  readonly taught?: number;
}

const KINDS: readonly Kind[] = [
  { cell: "gru", layers: 1, bidirectional: true, tokens: true },
  { cell: "gru", layers: 2, bidirectional: true, tokens: true, tied: true, dropout: 0.3 },
  { cell: "lstm", layers: 2, bidirectional: true, tokens: true, taught: 0.5 },
  { cell: "lstm", layers: 1, bidirectional: false, tokens: false, taught: 0.5 },
  { cell: "gru", layers: 1, bidirectional: false, tokens: false, dropout: 0.3, taught: 0 },
];

/** `all`: others may read the decoder's steps, so that it computes every one. */
function networkOf(
  { cell, layers: numLayers, bidirectional, tokens: ofTokens, tied, dropout = 0 }: Kind,
  all: boolean,
) {
  return defineNetwork((layers) => {
    const { tokens, numbers, vector, embedding, linear, tanh, decoder } = layers, axis = "target";
    const x = embedding("embedding", tokens("source", V), 5),
      sizes = { hiddenSize: 6, numLayers, bidirectional, dropout };
    const { output: keys, state } = cell === "lstm" ? layers.lstm("lstm", x, sizes) : layers.gru("gru", x, sizes);
    const found = decoder("decoder", {
      keys,
      state: tanh(linear("bridge", state, numLayers * 10)),
      targets: ofTokens ? tokens("targets", V, { axis }) : numbers("targets", 3, { axis }),
      ...!ofTokens && { start: vector("start", 3) },
    }, { hiddenSize: 10, numLayers, cell, dropout, ...ofTokens && { embeddingDim: 4, tied } });
    return { output: found.output, ...all && { context: found.context } };
  });
}

/** A batch whose rows end early, by falling lengths, and one of the same shape whose rows go on to the end. */
function batchOf({ tokens, taught }: Kind, seed: number, long: boolean) {
  const random = new Random(seed, "data"), draw = (n: number) => Int32Array.from({ length: n }, () => random.below(V));
  const lengths = (most: number) =>
    Int32Array.from({ length: B }, (_, b) => long ? most : Math.max(1, most - 3 - (b >> 2)));
  const targets = tokens ? draw(B * U) : normals(random, B * U * 3);
  const inputs = {
    targets,
    ...!tokens && { start: normals(random, B * 3) },
    ...taught !== undefined &&
      { "decoder.teacher": Float32Array.from({ length: B * U }, () => Number(random.uniform() < taught)) },
  };
  const axes = { target: { steps: U, lengths: lengths(U) } };
  return { sequences: { x: draw(B * S), shape: [B, S, 1], lengths: lengths(S), axes, inputs }, targets };
}

async function gradients(kind: Kind, all: boolean, options: object, spoil: boolean) {
  using model = await createModel(networkOf(kind, all), { seed: 3, ...options });
  const losses = { output: { loss: kind.tokens ? "crossEntropy" as const : "mse" as const } };
  // The largest weights leave what is not a number wherever anything is computed.
  const dict = await model.stateDict();
  if (spoil) {
    const bad = Object.fromEntries(
      Object.entries(dict).map((
        [name, { shape, data }],
      ) => [name, { shape, data: data.map((_, i) => i % 2 ? 3e38 : -3e38) }]),
    );
    await model.loadStateDict(bad);
    const { sequences, targets } = batchOf(kind, 1, true);
    await model.gradients(sequences, { output: targets }, { losses });
    await model.loadStateDict(dict);
  }
  const { sequences, targets } = batchOf(kind, 2, false);
  const mask = (n: number) => Float32Array.from({ length: n }, (_, i) => i % 3 ? 1.5 : 0);
  const width = kind.tokens ? 4 : 3, D = kind.bidirectional ? 12 : 6;
  const dropoutMasks = kind.dropout
    ? {
      ...kind.tokens && { "decoder.targetMask": mask(B * U * width) },
      "decoder.readoutMask": mask(B * U * (10 + D + width)),
    }
    : undefined;
  return await model.gradients(sequences, { output: targets }, { losses, dropoutMasks });
}

/** The gradient of a batch from those of its rows, each by itself and as long as it is. */
async function rowByRow(kind: Kind): Promise<Record<string, Float64Array>> {
  using model = await createModel(networkOf(kind, false), { seed: 3 });
  const { sequences: { x, lengths, axes, inputs }, targets } = batchOf(kind, 2, false), own = axes.target.lengths;
  const total = own.reduce((sum, n) => sum + n, 0), sums: Record<string, Float64Array> = {};
  const losses = { output: { loss: kind.tokens ? "crossEntropy" as const : "mse" as const } };
  for (let b = 0; b < B; b++) {
    const T = lengths[b]!, steps = own[b]!;
    const part = (all: Int32Array | Float32Array, n: number) => {
      const each = all.length / B;
      return all.slice(b * each, b * each + n * each / U);
    };
    const given = Object.entries(inputs).map(([name, all]) => [name, part(all!, name === "start" ? U : steps)]);
    const axes = { target: { steps } }, x1 = x.slice(b * S, b * S + T);
    const row = { x: x1, shape: [1, T, 1], axes, inputs: Object.fromEntries(given) };
    const { parameters } = await model.gradients(row, { output: part(targets, steps) }, { losses });
    for (const [name, { data }] of Object.entries(parameters)) {
      const sum = sums[name] ??= new Float64Array(data.length);
      data.forEach((g, i) => sum[i]! += g * steps / total);
    }
  }
  return sums;
}

Deno.test("the gradient of rows that have ended is that of rows without padding", async () => {
  for (const kind of KINDS.filter(({ dropout }) => !dropout)) {
    const { parameters } = await gradients(kind, false, {}, true);
    for (const [name, expected] of Object.entries(await rowByRow(kind))) {
      const most = expected.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
      assertClose(parameters[name]!.data, expected, 1e-5 * most + 1e-8, `${name} of ${JSON.stringify(kind)}`);
    }
  }
});

for (
  const [name, options] of [["auto", {}], ["plain SIMD", { simd: "plain" }], ["wide", { simd: "wide" }], ["3 threads", {
    threads: 3,
  }]] as const
) {
  Deno.test(`rows that have ended are not computed, and change no bit: ${name}`, async () => {
    for (const kind of KINDS) {
      const whole = await gradients(kind, true, options, false), ended = await gradients(kind, false, options, true);
      const about = JSON.stringify(kind);
      assert.equal(ended.loss, whole.loss, about);
      assertIdentical(ended.outputs.values.output!.data, whole.outputs.values.output!.data, `outputs of ${about}`);
      for (const [parameter, { data }] of Object.entries(whole.parameters)) {
        assertIdentical(ended.parameters[parameter]!.data, data, `${parameter} of ${about}`);
      }
    }
  });
}
