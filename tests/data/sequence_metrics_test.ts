import assert from "node:assert/strict";
import { bleu, type BleuTokenizer, chrf } from "../../core/data/metrics/bleu.ts";
import { editDistance, errorRate } from "../../core/data/metrics/errors.ts";
import { sequenceMetrics } from "../../core/data/metrics/sequences.ts";
import { Random } from "../../core/random.ts";
import { assertClose } from "../close.ts";

/** What scripts/fixtures/sacrebleu_scores.py wrote. */
const { corpora } = JSON.parse(Deno.readTextFileSync(new URL("../testdata/sacrebleu.json", import.meta.url))) as {
  corpora: {
    found: string[];
    references: string[][];
    scores: Record<string, { score: number; precisions: number[]; bp: number; signature: string }>;
  }[];
};

/** A signature without the program's name and version. */
const settings = (signature: string) => signature.replace(/version:.*/, "");

Deno.test("BLEU and chrF are sacrebleu's", () => {
  assert.ok(corpora.length > 20);
  for (const { found, references, scores } of corpora) {
    const { chrf: characters, ...tokenizers } = scores;
    for (const [tokenize, { score, precisions, bp, signature }] of Object.entries(tokenizers)) {
      const own = bleu(found, references, { tokenize: tokenize as BleuTokenizer });
      assertClose([own.score], [score], 1e-9, `BLEU of ${tokenize}`);
      assertClose(own.precisions, precisions, 1e-9, `precisions of ${tokenize}`);
      assertClose([own.brevityPenalty], [bp], 1e-12, `brevity penalty of ${tokenize}`);
      assert.equal(settings(own.signature), settings(signature));
    }
    const own = chrf(found, references);
    assertClose([own.score], [characters!.score], 1e-9, "chrF");
    assert.equal(settings(own.signature), settings(characters!.signature));
  }
});

Deno.test("an edit distance is the least number of changes", () => {
  const random = new Random(3, "data"), word = () => Array.from({ length: random.below(6) }, () => random.below(3));
  const least = (a: number[], b: number[]): number =>
    !a.length || !b.length ? a.length + b.length : Math.min(
      least(a.slice(1), b) + 1,
      least(a, b.slice(1)) + 1,
      least(a.slice(1), b.slice(1)) + Number(a[0] !== b[0]),
    );
  for (let i = 0; i < 200; i++) {
    const a = word(), b = word();
    assert.equal(editDistance(a, b), least(a, b), `${a} and ${b}`);
  }
});

Deno.test("an error rate goes by the nearest reference, of equals the first", () => {
  // One change from either; the first is 3 long, the second 2.
  assert.equal(errorRate(["ab"], [["abc", "ac"]]), 1 / 3);
  assert.equal(errorRate(["ab"], [["ac", "abc"]]), 1 / 2);
  assert.equal(errorRate(["ab", "xyz"], [["ab", "q"], ["xyzw"]]), 1 / 6);
  assert.equal(errorRate([""], [[""]]), 0);
  assert.equal(errorRate(["a"], [[""]]), Infinity);
});

Deno.test("metrics of sequences count an answer right if it is one of its references", () => {
  const [found, references] = [[["a", "b"], ["c"], ["d"]], [[["x"], ["a", "b"]], [["c", "c"]], [["d"]]]];
  const { exactMatch, tokenErrorRate, characterErrorRate, count } = sequenceMetrics(found, references);
  assert.deepEqual([count, exactMatch, tokenErrorRate], [3, 2 / 3, 1 / 5]);
  // "c" for "c c": two characters of "a b", "c c" and "d", 7 in all.
  assert.equal(characterErrorRate, 2 / 7);
});

Deno.test("answers without references are refused", () => {
  for (const compute of [bleu, chrf, errorRate]) {
    assert.throws(() => compute([], []), /there are no answers/);
    assert.throws(() => compute(["a"], [[]]), /answer 0 has no reference/);
    assert.throws(() => compute(["a", "b"], [["a"]]), /references must be 2 lists/);
  }
  assert.throws(() => bleu(["a"], [["a"]], { tokenize: "zh" as BleuTokenizer }), /tokenize must be one of none, 13a/);
});
