import assert from "node:assert/strict";
import { learnMerges } from "../../core/data/byte_pairs.ts";
import { SEQUENCE_UNITS, Tokenizer } from "../../core/data/tokenizer.ts";
import { byCodePoint } from "../../core/data/vocabulary.ts";
import { Random } from "../../core/random.ts";

const TEXTS = [
  "Where's the cat? The cat's on the mat.",
  "I don't know (yet), sorry!",
  "the lowest of the low, the newest of the new",
  "die Straße nach 日本 kostet 3,50 € – naïve e\u0301tudes",
];

Deno.test("tokens are numbered by falling count, ties by code points, sources from 2, targets from 4", () => {
  const source = Tokenizer.fit(["bca", "ab", "b𝄞\uffee"], { unit: "characters" }, 2), target = source.from(4);
  // Surrogates come before U+FFEE in halves, and behind it as code points.
  assert.deepEqual(source.tokens, ["b", "a", "c", "\uffee", "𝄞"]);
  assert.deepEqual(["b", "𝄞", "z"].map((token) => [source.number(token), target.number(token)]), [[2, 4], [6, 8], [
    1,
    1,
  ]]);
  assert.deepEqual([source.size, target.size, target.token(4), target.token(3)], [7, 9, "b", undefined]);
});

Deno.test("words and single signs are tokens, as the reference tasks have them", () => {
  const tokenizer = Tokenizer.fit(TEXTS, { unit: "words", normalize: "lower" }, 2);
  const split = (text: string) => tokenizer.split(text);
  assert.deepEqual(split("I don't know (yet)!"), ["i", "don'", "t", "know", "(", "yet", ")", "!"]);
  assert.deepEqual(split("E\u0301tude_x 3,50"), ["étude", "_", "x", "3", ",", "50"]);
});

Deno.test("texts come back from their tokens", () => {
  const nfc = TEXTS.map((text) => text.normalize("NFC"));
  for (const unit of SEQUENCE_UNITS) {
    const tokenizer = Tokenizer.fit(TEXTS, { unit }, 4);
    const restored = Tokenizer.from(JSON.parse(JSON.stringify(tokenizer)), "tokens", 4);
    const texts = unit === "characters" || unit === "spaces" ? TEXTS : nfc;
    for (const [i, text] of TEXTS.entries()) {
      const numbers = tokenizer.split(text).map((token) => tokenizer.number(token));
      assert.ok(!numbers.includes(1), unit);
      assert.equal(restored.text(numbers.map((number) => restored.token(number)!)), texts[i], unit);
    }
  }
  const random = new Random(4, "data"), alphabet = [..." \n\tab.,3'é日🦆"];
  const subwords = Tokenizer.fit(TEXTS, { unit: "subwords" }, 4);
  for (let i = 0; i < 300; i++) {
    const text = Array.from({ length: random.below(12) }, () => alphabet[random.below(alphabet.length)]!).join("");
    assert.equal(subwords.text(subwords.split(text)), text.normalize("NFC"), JSON.stringify(text));
  }
});

Deno.test("answers of words have spaces where training texts had them", () => {
  const tokenizer = Tokenizer.fit(["(a) b, c.", "c, (b) a."], { unit: "words" }, 4);
  assert.equal(tokenizer.text(["b", ",", "(", "c", ")", "new", "."]), "b, (c) new.");
});

/** Byte-pair encoding as it is defined, counting all pairs anew for every merge. */
function plainMerges(counts: ReadonlyMap<string, number>, most: number): [string, string][] {
  const words = [...counts].map(([word, count]) => ({ pieces: [...word], count })), merges: [string, string][] = [];
  const pieces = new Set(words.flatMap((word) => word.pieces));
  while (pieces.size < most) {
    const pairs = new Map<string, { pair: [string, string]; count: number }>();
    for (const { pieces, count } of words) {
      for (let i = 0; i + 1 < pieces.length; i++) {
        const pair: [string, string] = [pieces[i]!, pieces[i + 1]!], key = pair.join("\0");
        pairs.set(key, { pair, count: (pairs.get(key)?.count ?? 0) + count });
      }
    }
    const [best] = [...pairs.values()].filter(({ count }) => count > 1).sort((a, b) =>
      b.count - a.count || byCodePoint(a.pair[0], b.pair[0]) || byCodePoint(a.pair[1], b.pair[1])
    );
    if (!best) break;
    const [left, right] = best.pair;
    merges.push(best.pair);
    pieces.add(left + right);
    for (const word of words) {
      const next: string[] = [];
      for (let i = 0; i < word.pieces.length; i++) {
        if (word.pieces[i] === left && word.pieces[i + 1] === right) next.push(left + right), i++;
        else next.push(word.pieces[i]!);
      }
      word.pieces = next;
    }
  }
  return merges;
}

Deno.test("merges are those of byte-pair encoding as it is defined, in whatever order the words come", () => {
  const random = new Random(9, "data");
  for (let round = 0; round < 20; round++) {
    const alphabet = [..."abcdé𝄞"].slice(0, 2 + random.below(5)), counts = new Map<string, number>();
    for (let i = 0; i < 30; i++) {
      const word = Array.from({ length: 1 + random.below(9) }, () => alphabet[random.below(alphabet.length)]!).join("");
      counts.set(word, 1 + random.below(5));
    }
    const known = new Set([...counts.keys()].flatMap((word) => [...word])), most = known.size + random.below(60);
    const merges = learnMerges(counts, most, known);
    assert.deepEqual(merges, plainMerges(counts, most));
    assert.deepEqual(learnMerges(new Map([...counts].reverse()), most, known), merges);
  }
});

Deno.test("subwords are split by the merges, the first learned first", () => {
  const texts = ["low low low lower lower newest newest"];
  const tokenizer = Tokenizer.fit(texts, { unit: "subwords", vocabularySize: 13 }, 2);
  const { merges, tokens } = tokenizer.toJSON();
  // Of "lo" and " l", both five times, the space comes first.
  assert.deepEqual(merges, [[" ", "l"], [" l", "o"], [" lo", "w"], [" ", "n"]]);
  assert.deepEqual([tokens.length, tokens.slice(0, 3)], [13, ["e", " low", " n"]]);
  assert.deepEqual(tokenizer.split("slow lowest"), [..." slow", " low", ..."est"]);
});

Deno.test("a rare token is unknown, and a vocabulary may have a largest size", () => {
  const texts = ["a a b b c", "a d"], options = { unit: "spaces" as const };
  assert.deepEqual(Tokenizer.fit(texts, { ...options, minCount: 2 }, 2).tokens, ["a", "b"]);
  assert.deepEqual(Tokenizer.fit(texts, { ...options, vocabularySize: 3 }, 2).tokens, ["a", "b", "c"]);
  assert.throws(() => Tokenizer.fit(texts, { ...options, minCount: 9 }, 2), /no word occurs 9 times in the training/);
  const subwords = Tokenizer.fit(["aab", "aaz"], { unit: "subwords", minCount: 2 }, 2);
  assert.equal(subwords.number("z"), 1);
});

Deno.test("stored tokens that do not fit one another are refused", () => {
  const good = JSON.parse(JSON.stringify(Tokenizer.fit(TEXTS, { unit: "subwords" }, 2)));
  const bad = (change: object, message: RegExp) =>
    assert.throws(() => Tokenizer.from({ ...good, ...change }, "tokens", 2), message);
  bad({ merges: [["a", "☃"]] }, /tokens.merges does not fit/);
  bad({ merges: [...good.merges, good.merges[0]] }, /tokens.merges does not fit/);
  bad({ merges: 3 }, /tokens.merges does not fit/);
  bad({ tokens: ["a", "a"] }, /distinct strings/);
  bad({ tokens: ["", ...good.tokens] }, /an empty one/);
  bad({ unit: "letters" }, /unit must be one of|unknown field/);
  bad({ extra: 1 }, /unknown field/);
});
