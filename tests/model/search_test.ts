/** Searches beside a search that is written as it is defined, and what must hold of all of them. */

import assert from "node:assert/strict";
import { defineNetwork } from "../../core/model/define.ts";
import { createModel, type NetworkModel, type Sequences } from "../../core/model/model.ts";
import { END, PAD, START } from "../../core/model/layers/decoder_options.ts";
import { createSearcher, type Hypothesis, type SearchOptions } from "../../core/model/search.ts";
import { Random } from "../../core/random.ts";
import { assertClose } from "../close.ts";

const V = 7;

/** A model whose answers differ, of weights that decide. */
async function decided(seed: number): Promise<NetworkModel> {
  const network = defineNetwork(({ tokens, embedding, gru, decoder }) => {
    const { output: keys, state } = gru("gru", embedding("embedding", tokens("x", V), 5), { hiddenSize: 6 });
    const targets = tokens("y", V, { axis: "target" });
    return decoder("decoder", { keys, state, targets }, { hiddenSize: 6, embeddingDim: 4 }).output;
  });
  const model = await createModel(network, { seed, simd: "plain" }), dict = Object.entries(await model.stateDict());
  await model.loadStateDict(
    Object.fromEntries(dict.map(([name, { shape, data }]) => [name, { shape, data: data.map((w) => 3 * w) }])),
  );
  return model;
}

/** Sources of random lengths, a batch. */
function batchOf(sources: readonly (readonly number[])[]): Sequences {
  const B = sources.length, T = Math.max(...sources.map(({ length }) => length)), x = new Int32Array(B * T);
  sources.forEach((source, b) => x.set(source, b * T));
  return { x, shape: [B, T, 1], lengths: Int32Array.from(sources, ({ length }) => length) };
}

function drawn(random: Random, B: number): number[][] {
  return Array.from({ length: B }, () => Array.from({ length: 1 + random.below(5) }, () => 1 + random.below(V - 1)));
}

/** What a model says after each token of an answer, all of them fed at once: log-probabilities and attention. */
async function said(model: NetworkModel, source: readonly number[], tokens: readonly number[]) {
  const U = tokens.length + 1, y = Int32Array.of(...tokens, END), T = source.length;
  const { values } = await model.forward({ ...batchOf([source]), axes: { target: { steps: U } }, inputs: { y } }, {
    values: ["decoder.weights"],
  });
  const logits = [...values.output!.data.subarray((U - 1) * V, U * V)];
  const log = Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0));
  return {
    log: logits.map((x) => x - log),
    weights: [...values["decoder.weights"]!.data.subarray((U - 1) * T, U * T)],
  };
}

interface Answer {
  readonly tokens: number[];
  readonly logs: number[];
  readonly weights: number[][];
  readonly ended: boolean;
}

/** The search as it is defined. */
async function search(
  model: NetworkModel,
  source: readonly number[],
  {
    width = 1,
    nBest = width,
    maxLength = 50,
    minLength = 0,
    lengthPenalty = 0,
    coveragePenalty = 0,
    noRepeat = 0,
    prefix = [],
  }: SearchOptions,
) {
  const sum = ({ logs }: Answer) => logs.reduce((a, b) => a + b, 0);
  const repeats = (tokens: number[]) => {
    const last = tokens.slice(-noRepeat).join();
    return tokens.slice(0, -1).some((_, i) =>
      i + noRepeat < tokens.length && tokens.slice(i, i + noRepeat).join() === last
    );
  };
  let live: Answer[] = [{ tokens: [], logs: [], weights: [], ended: false }];
  const finished: Answer[] = [];
  for (let length = 1; length <= maxLength && finished.length < width && live.length; length++) {
    const all: Answer[] = [];
    for (const one of live) {
      const { log, weights } = await said(model, source, one.tokens);
      for (let token = 0; token < V; token++) {
        const tokens = [...one.tokens, token], forced = (prefix as number[])[length - 1];
        if (token === PAD || token === START || forced !== undefined && token !== forced) continue;
        if (forced === undefined && token === END && length <= minLength) continue;
        if (forced === undefined && noRepeat && token !== END && tokens.length >= noRepeat && repeats(tokens)) continue;
        all.push({
          tokens,
          logs: [...one.logs, log[token]!],
          weights: [...one.weights, weights],
          ended: token === END,
        });
      }
    }
    all.sort((a, b) => sum(b) - sum(a));
    finished.push(...all.slice(0, width).filter(({ ended }) => ended));
    const going = all.filter(({ ended }) => !ended).slice(0, width);
    if (!going.length && !finished.length) finished.push(...live);
    live = going;
  }
  if (finished.length < width) finished.push(...live.filter(({ tokens }) => tokens.length === maxLength));
  return finished.map((one) => {
    const seen = source.map((_, s) => one.weights.reduce((total, weights) => total + weights[s]!, 0));
    const covered = seen.reduce((total, weight) => total + Math.log(Math.min(1, weight)), 0);
    const score = sum(one) / ((5 + one.tokens.length) / 6) ** lengthPenalty + coveragePenalty * covered;
    return { ...one, tokens: one.ended ? one.tokens.slice(0, -1) : one.tokens, score };
  }).sort((a, b) => b.score - a.score).slice(0, nBest);
}

const CASES: SearchOptions[] = [
  { maxLength: 6 },
  { maxLength: 6, width: 3 },
  { maxLength: 7, width: 5, nBest: 2, lengthPenalty: 0.8 },
  { maxLength: 6, width: 4, coveragePenalty: 0.5, lengthPenalty: 0.4 },
  { maxLength: 7, width: 3, noRepeat: 1 },
  { maxLength: 9, width: 2, noRepeat: 2, minLength: 6 },
  { maxLength: 8, noRepeat: 3, minLength: 7 },
  { maxLength: 6, width: 3, prefix: [4, 1] },
  { maxLength: 8, width: 3, prefix: [4, 5, 4, 5], noRepeat: 2 },
  // Nothing is left to say: 1, 4, 5 and 6 are said, and END comes too early.
  { maxLength: 9, width: 2, noRepeat: 1, minLength: 6 },
];

Deno.test("searches find what the definition finds", async () => {
  let endings = 0;
  for (let seed = 1; seed <= 4; seed++) {
    using model = await decided(seed);
    using searcher = await createSearcher(model);
    const sources = drawn(new Random(seed, "data"), 5);
    for (const options of CASES) {
      const found = await searcher.search(batchOf(sources), options);
      for (const [b, source] of sources.entries()) {
        const expected = await search(model, source, options), about = `${JSON.stringify(options)}, ${seed}, ${b}`;
        assert.deepEqual(found[b]!.map(({ tokens }) => tokens), expected.map(({ tokens }) => tokens), about);
        for (const [k, { score, logs, weights, ended }] of expected.entries()) {
          const own = found[b]![k]!;
          assert.equal(own.ended, ended);
          endings += Number(ended);
          assertClose([own.score], [score], 1e-4, about);
          assertClose(own.logProbabilities, logs, 1e-4, about);
          assertClose([own.sum], [logs.reduce((a, b) => a + b, 0)], 1e-4, about);
          assert.deepEqual(own.attention.shape, [logs.length, source.length]);
          assertClose(own.attention.data, weights.flat(), 1e-5, about);
        }
      }
    }
  }
  assert.ok(endings > 50);
});

Deno.test("answers are the same alone, in any order, and at any number at once", async () => {
  using model = await decided(8);
  using searcher = await createSearcher(model);
  const sources = drawn(new Random(8, "data"), 40);
  for (const options of CASES) {
    const all = await searcher.search(batchOf(sources), options);
    for (const batchSize of [1, 3, 39]) {
      assert.deepEqual(await searcher.search(batchOf(sources), { ...options, batchSize }), all);
    }
    assert.deepEqual(await searcher.search(batchOf([...sources].reverse()), options), [...all].reverse());
    assert.deepEqual(await searcher.search(batchOf([sources[7]!]), options), [all[7]]);
  }
});

Deno.test("a width of 1 is greedy, and the best of several is the best by itself", async () => {
  using model = await decided(9);
  using searcher = await createSearcher(model);
  const sequences = batchOf(drawn(new Random(9, "data"), 30)), maxLength = 9;
  const greedy = await searcher.search(sequences, { maxLength });
  const one = await searcher.search(sequences, { maxLength, width: 1, lengthPenalty: 1 });
  assert.deepEqual(one.map(([a]) => a!.tokens), greedy.map(([a]) => a!.tokens));
  const beam = { maxLength, width: 5, lengthPenalty: 0.6 }, five = await searcher.search(sequences, beam);
  const best = await searcher.search(sequences, { ...beam, nBest: 1 });
  assert.deepEqual(best, five.map(([a]) => [a]));
  assert.ok(five.some(([a], i) => a!.tokens.join() !== greedy[i]![0]!.tokens.join()));
  for (const { tokens } of five.flat()) assert.ok(tokens.every((token) => ![PAD, START, END].includes(token)));
});

Deno.test("searches ask the engine for no exponential, whose last bits are its own", async () => {
  using model = await decided(4);
  using searcher = await createSearcher(model);
  const names = ["exp", "expm1", "log", "log1p", "log10", "log2"] as const, before = names.map((name) => Math[name]);
  for (const name of names) Math[name] = () => assert.fail(`Math.${name} was called`);
  try {
    const options = { width: 3, maxLength: 6, lengthPenalty: 0.7, coveragePenalty: 0.2 };
    const [[best]] = await searcher.search(batchOf([[3, 4, 5]]), options) as [Hypothesis[]];
    assert.ok(Number.isFinite(best!.score));
  } finally {
    names.forEach((name, i) => Math[name] = before[i]!);
  }
});

Deno.test("each sequence may have a prefix of its own", async () => {
  using model = await decided(3);
  using searcher = await createSearcher(model);
  const sources = drawn(new Random(3, "data"), 3), prefix = [[4], [], [5, 5, 6]], options = { maxLength: 8, width: 2 };
  const found = await searcher.search(batchOf(sources), { ...options, prefix });
  for (const [b, own] of prefix.entries()) {
    assert.deepEqual(found[b]![0]!.tokens.slice(0, own.length), own);
    assert.deepEqual(await searcher.search(batchOf([sources[b]!]), { ...options, prefix: own }), [found[b]]);
  }
});

Deno.test("options that cannot be searched by are refused", async () => {
  using model = await decided(1);
  using searcher = await createSearcher(model);
  const refused = (options: SearchOptions, message: RegExp) =>
    assert.rejects(searcher.search(batchOf([[4], [5]]), options), message);
  await refused({ width: V - 1 }, /width must be at most 5, the tokens there are but PAD and START, got 6/);
  await refused({ width: 2, nBest: 3 }, /nBest must be at most width, 2, got 3/);
  await refused({ prefix: [[4]] }, /a list of them for each of 2 sequences, got 1 lists/);
  for (const token of [PAD, START, END, V, 1.5, -1]) await refused({ prefix: [token] }, /prefix must be of tokens/);
  await refused({ prefix: [4, 4], maxLength: 2 }, /prefix must be shorter than maxLength, 2, got 2 tokens/);
  await refused({ maxLength: 2, minLength: 2 }, /minLength must be below maxLength/);
});
