/**
 * A beam search over many sources beside a batched one in PyTorch with the same weights: `deno task bench:seq2seq --beam`.
 * Times are the least of all rounds, on one thread of the processor's time, else by the clock. Nothing is timed before both have found the same answers.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import { fileURLToPath } from "node:url";
import { createModel, createSearcher, END, ragged, train } from "../../mod.ts";
import { Random } from "../../core/random.ts";
import { fail } from "../command_line.ts";

/** Vocabulary, widths of embeddings and states, steps of a source, sources, hypotheses, and the longest answer. */
const V = 40, E = 32, H = 64, S = 12, N = 1000, WIDTH = 5, LENGTH = 24, ALPHA = 0.6;

/** Sources in a batch of PyTorch's: the fastest counts. */
const CHUNKS = [50, 200, 1000];

/** The answers to each source, the best first: scores and tokens. */
type Answers = readonly (readonly (readonly [score: number, tokens: readonly number[]])[])[];

/** PyTorch's answers and its milliseconds. */
async function theirs(
  python: string,
  given: object,
): Promise<{ readonly ms: number; readonly chunk: number; readonly answers: Answers }> {
  const script = fileURLToPath(new URL("./sides/beam_pytorch.py", import.meta.url));
  const child = new Deno.Command(python, { args: [script], stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(given)));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  if (!success) fail(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Refuses answers that are not the same; those whose scores are nearly equal may come in any order. */
function checkEqual(ours: Answers, other: Answers): void {
  let same = 0;
  ours.forEach((own, i) => {
    own.forEach(([score, tokens], k) => {
      const [theirs, said] = other[i]![k]!;
      if (!(Math.abs(score - theirs) < 1e-3)) fail(`source ${i}, answer ${k}: ${score} here, ${theirs} in PyTorch`);
      same += Number(String(tokens) === String(said));
    });
  });
  const all = ours.flat().length;
  if (same < 0.99 * all) fail(`only ${same} of ${all} answers are PyTorch's`);
}

/** Prints a line for each number of threads. */
export async function benchBeam(python: string, threads: readonly number[], rounds: number): Promise<void> {
  const random = new Random(1, "data");
  const draw = (n: number) => Array.from({ length: n }, () => Array.from({ length: S }, () => 4 + random.below(V - 4)));
  // A model that has half learnt to say some of a source backwards, so that answers end, and hypotheses differ.
  const known = draw(2000), sources = draw(N);
  const pairs = {
    sources: ragged(known),
    targets: ragged(known.map((x) => [...x.slice(0, 6 + x[0]! % 7).reverse(), END])),
  };
  const sizes = { sourceTokens: V, sourceSize: E, targetTokens: V, targetSize: E, hiddenSize: H };
  using trained = await createModel({ task: "seq2seq", ...sizes }, { seed: 1 });
  await train(trained, pairs, { epochs: 8, batchSize: 32, optimizer: { learningRate: 0.005 }, clipNorm: 1 });
  const dict = await trained.stateDict(), sequences = { x: Int32Array.from(sources.flat()), shape: [N, S, 1] };
  const state = Object.fromEntries(Object.entries(dict).map(([name, { shape, data }]) => [name, [shape, [...data]]]));
  console.log(`${N} sources of ${S} symbols, H ${H}, beam ${WIDTH}: milliseconds for all, the least of ${rounds}`);
  console.log("threads    Grutto   PyTorch  batch    ratio  tokens an answer");
  for (const count of threads) {
    using model = await createModel(trained.network, { threads: count, loss: "crossEntropy" });
    await model.loadStateDict(dict);
    using searcher = await createSearcher(model);
    const search = () => searcher.search(sequences, { width: WIDTH, maxLength: LENGTH, lengthPenalty: ALPHA });
    const found = await search(),
      answers = found.map((all) => all.map(({ score, tokens }) => [score, tokens] as const));
    const given = {
      state,
      sources,
      width: WIDTH,
      alpha: ALPHA,
      length: LENGTH,
      threads: count,
      chunks: CHUNKS,
      rounds,
    };
    const other = python === "none" ? undefined : await theirs(python, given);
    if (other) checkEqual(answers, other.answers);
    const now = () => count > 1 ? performance.now() : (cpuUsage().user + cpuUsage().system) / 1000,
      times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const start = now();
      await search();
      times.push(now() - start);
    }
    const own = Math.min(...times), tokens = answers.reduce((sum, [best]) => sum + best![1].length, 0) / N;
    const right = other ? `${other.ms.toFixed(0).padStart(10)} ${`${other.chunk}`.padStart(6)} ` : "";
    const ratio = other ? `${(other.ms / own).toFixed(1).padStart(7)}×` : "";
    console.log(`${`${count}`.padStart(7)} ${own.toFixed(0).padStart(9)}${right} ${ratio}  ${tokens.toFixed(1)}`);
  }
}
