import assert from "node:assert/strict";
import { PairPipeline } from "../../core/data/pair_pipeline.ts";
import type { PairReadOptions } from "../../core/data/readers/pair_formats.ts";
import { readPairs, readParallel, readSuitedPairs } from "../../core/data/readers/pairs.ts";
import type { PairSide } from "../../core/data/pair_records.ts";
import { sampleDates } from "../../core/data/sample_dates.ts";

const input = (name: string, text: string) => ({
  name,
  stream: async function* () {
    yield new TextEncoder().encode(text);
  },
});
const read = async (name: string, text: string, options: PairReadOptions = {}) =>
  (await Array.fromAsync(readPairs(input(name, text), options))).map(({ source, target }) => [source, target]);
const records = (...pairs: [string, string][]) =>
  pairs.map(([source, target], i) => ({ source, target, place: `line ${i + 1}` }));

Deno.test("pairs are read from lines with a tab, tables, JSON, and two files", async () => {
  const both = [["ab", "x y"], ["c", "z"]];
  assert.deepEqual(await read("a.txt", "ab\tx y\r\n\nc\tz\n"), both);
  assert.deepEqual(await read("a.csv", "id,target,source\n1,x y,ab\n2,z,c\n"), both);
  assert.deepEqual(await read("a.csv", "de;en\nx y;ab\nz;c\n", { sourceColumn: "en", targetColumn: "de" }), both);
  assert.deepEqual(await read("a.jsonl", '{"x":"ab","y":"x y"}\n{"x":"c","y":"z"}\n'), both);
  assert.deepEqual(await read("a.json", '[{"x":"ab","y":"x y"},\n{"x":"c","y":"z"}]'), both);
  const parallel = await Array.fromAsync(readParallel(input("a.en", "ab\nc\n"), input("a.de", "x y\nz\n")));
  assert.deepEqual(parallel.map(({ source, target }) => [source, target]), both);
  assert.deepEqual(await read("a.txt", "ab\nc\tz\n", { optionalTargets: true }), [["ab", undefined], ["c", "z"]]);
});

Deno.test("what is no pair is refused with its line", async () => {
  await assert.rejects(read("a.txt", "a\tb\nc\n"), /a\.txt: line 2 must be a source, a tab and a target/);
  await assert.rejects(read("a.txt", "a\tb\tc\n"), /line 1 .* got 3 columns/);
  const columns = { sourceColumn: "0", targetColumn: "1" };
  await assert.rejects(read("a.txt", "a\tb\nc\td\te\n", columns), /line 2 must have 2 columns, got 3/);
  await assert.rejects(read("a.txt", "a\tb\n\tc\n"), /line 2: the source is empty/);
  await assert.rejects(
    read("a.jsonl", '{"x":"a","y":1}\n'),
    /line 1: y must be a text, or numbers for every step, got number/,
  );
  await assert.rejects(read("a.jsonl", '{"x":"a"}\n'), /line 1: the target is missing/);
  await assert.rejects(read("a.csv", "a,b,c\n1,2,3\n"), /there is no column source or x, only a, b, c/);
  const uneven = Array.fromAsync(readParallel(input("a.en", "ab\nc\n"), input("a.de", "x y\n")));
  await assert.rejects(uneven, /a\.de: it ends after 1 lines, and a\.en goes on/);
});

Deno.test("sources are numbered from 2, targets from 4 with END behind, and JSON keeps it all", () => {
  const pairs = records(["ab", "ba"], ["b", "b"]), pipeline = PairPipeline.fit(pairs);
  const { sources, targets } = pipeline.dataset(pairs);
  assert.deepEqual([...sources.lengths, ...targets.lengths], [2, 1, 3, 2]);
  const restored = PairPipeline.from(JSON.parse(JSON.stringify(pipeline)));
  assert.deepEqual(restored.dataset(pairs), { sources, targets, vocabulary: pipeline.vocabulary });
  const { source, target } = pipeline;
  assert.ok(source.unit !== "numbers" && target.unit !== "numbers");
  assert.equal(source.number("z"), 1);
  assert.equal(Math.min(...["a", "b"].map((token) => source.number(token))), 2);
  assert.equal(Math.min(...["a", "b"].map((token) => target.number(token))), 4);
  assert.equal(pipeline.text(["a", "b"]), "ab");
  // An unknown token of an answer is what the attention points at, where the source is given.
  assert.deepEqual(pipeline.tokens({ tokens: [1], aligned: [1] }, ["q", "r"]), ["r"]);
  assert.notDeepEqual(pipeline.tokens({ tokens: [1], aligned: [1] }), ["r"]);
});

Deno.test("what a token is shows in the texts, where nobody says", () => {
  const unitsOf = (source: string, target: string) => {
    const { source: one, target: other } = PairPipeline.fit(records([source, target]));
    return [one.unit, other.unit];
  };
  assert.deepEqual(unitsOf("hello", "HH AH0 L OW1"), ["characters", "spaces"]);
  assert.deepEqual(unitsOf("hello", "h ə l oʊ"), ["characters", "spaces"]);
  assert.deepEqual(unitsOf("March 2, 1999", "1999-03-02"), ["characters", "characters"]);
  assert.deepEqual(unitsOf("Where are you now?", "Wo bist du jetzt?"), ["words", "words"]);
  assert.deepEqual(unitsOf("2 3 99", "a"), ["characters", "characters"]);
});

Deno.test("a joint vocabulary has the tokens of both sides; targets are as long as they may be", () => {
  const pairs = records(["ab", "cd"], ["b", "d"]), pipeline = PairPipeline.fit(pairs, { vocabulary: "joint" });
  assert.equal(pipeline.source.size - 2, 4);
  assert.equal(pipeline.target.size - 4, 4);
  const joint = { vocabulary: "joint", sourceTokens: "words", targetTokens: "characters" } as const;
  assert.throws(() => PairPipeline.fit(pairs, joint), /a joint vocabulary has one unit/);
  assert.throws(() => PairPipeline.fit(pairs, { maxTargetLength: 1 }), /line 1: the target has 2 tokens/);
  assert.throws(() => pipeline.dataset([{ source: "a", target: "", place: "line 9" }]), /line 9: the target is empty/);
  assert.throws(
    () => pipeline.checkSizes("predict", { source: { size: 9, tokens: true }, target: { size: 8, tokens: true } }),
    /the source vocabulary has 6 tokens/,
  );
});

Deno.test("a source with several targets is one group with several references", () => {
  const pairs = records(["ab", "x"], ["c", "y"], ["ab", "z"], ["ab", "x"]), pipeline = PairPipeline.fit(pairs);
  const groups = pipeline.groups(pairs).map(({ source, references }) => [source.join(""), references.flat()]);
  assert.deepEqual(groups, [["ab", ["x", "z"]], ["c", ["y"]]]);
});

Deno.test("the sample's dates differ, are right, and depend on the seed alone", () => {
  const lines = sampleDates(1).trimEnd().split("\n").map((line) => line.split("\t"));
  assert.equal(new Set(lines.map(([, iso]) => iso)).size, 10_000);
  for (const [text, iso] of lines) {
    assert.match(iso!, /^(19[5-9]|20[0-4])\d-\d\d-\d\d$/);
    // What an engine can read by itself says the same day.
    if (/^[A-Z][a-z]+ \d+, \d{4}$/.test(text!)) assert.equal(new Date(`${text} UTC`).toISOString().slice(0, 10), iso);
  }
  assert.equal(sampleDates(1), sampleDates(1));
  assert.notEqual(sampleDates(1), sampleDates(2));
});

Deno.test("numbers come from lists, and are scaled by the training pairs", async () => {
  const text = '{"x":[[1,2],[3,6]],"y":[1,2,3]}\n{"x":[[5,4]],"y":[[6]],"start":3}\n';
  const found = await Array.fromAsync(readPairs(input("a.jsonl", text)));
  assert.deepEqual(found.map(({ source, target, start }) => ({ source, target, start })), [
    { source: [[1, 2], [3, 6]], target: [[1], [2], [3]], start: undefined },
    { source: [[5, 4]], target: [[6]], start: [3] },
  ]);
  const pipeline = PairPipeline.fit(found), { sources, targets, start } = pipeline.dataset(found);
  // Means 3 and 4, deviations √(8/3) both; mean 3, deviation √3.5.
  const near = (found: ArrayLike<number>, expected: number[]) => {
    assert.equal(found.length, expected.length);
    expected.forEach((value, i) => assert.ok(Math.abs(found[i]! - value) < 1e-6, `${found[i]} for ${value}`));
  };
  const a = Math.sqrt(1.5), b = Math.sqrt(3.5);
  near(sources.data, [-a, -a, 0, a, a, 0]);
  near(targets.data, [-2 / b, -1 / b, 0, 3 / b]);
  near(start!, [0, 0]);
  assert.deepEqual([pipeline.loss, pipeline.longest, ...sources.lengths], ["mse", 3, 2, 1]);
  const restored = PairPipeline.from(JSON.parse(JSON.stringify(pipeline)));
  assert.deepEqual(restored.dataset(found), pipeline.dataset(found));
  assert.notEqual(PairPipeline.fit(found.slice(0, 1)).vocabulary, pipeline.vocabulary);
  near(PairPipeline.fit(found, { standardize: false }).dataset(found).targets.data, [1, 2, 3, 6]);
});

Deno.test("numbers that cannot be taken are refused with their place", async () => {
  await assert.rejects(read("a.jsonl", '{"x":[[1],[null]],"y":"a"}'), /line 1: x, step 2: a number is missing/);
  await assert.rejects(read("a.jsonl", '{"x":[["a"]],"y":"a"}'), /line 1: x, step 1 must be numbers, got .*a/);
  await assert.rejects(read("a.jsonl", '{"x":[],"y":"a"}'), /line 1: the source is empty/);
  const of = (...sources: PairSide[]) => sources.map((source, i) => ({ source, target: "a", place: `line ${i + 1}` }));
  assert.throws(() => PairPipeline.fit(of([[1, 2]], [[1]])), /line 2: source, step 1: must have 2 numbers, .* got 1/);
  assert.throws(() => PairPipeline.fit(of([[1]], "a")), /line 2: the source must be numbers, .* got a text/);
  assert.throws(() => PairPipeline.fit(of([[1]], [[NaN]])), /line 2: source, step 1: must be finite numbers, got NaN/);
  assert.throws(() => PairPipeline.fit(of([[1]]), { sourceTokens: "words" }), /sourceTokens is for texts/);
  const [first] = await Array.fromAsync(readPairs(input("a.jsonl", '{"x":[[null]]}'), { optionalTargets: true }));
  assert.match(String(first!.fault), /a number is missing/);
});

Deno.test("a pipeline keeps how its pairs were read, and others are read alike", async () => {
  const table = (head: string, rows: readonly string[]) => `${head}\n${rows.join("\n")}\n`;
  const rows = ["1 + 1;2", "2 + 3;5", "4 + 4;8"], text = table("question;answer", rows);
  const source = readPairs(input("sums.csv", text), { delimiter: ";" }), records = await Array.fromAsync(source);
  const reading = { format: "csv", sourceColumn: "question", targetColumn: "answer", delimiter: ";" };
  assert.deepEqual(source.reading, reading);
  const pipeline = PairPipeline.fit(records, { reading: source.reading });
  const stored = PairPipeline.from(JSON.parse(JSON.stringify(pipeline)));
  assert.deepEqual([pipeline.reading, stored.reading], [reading, reading]);
  assert.deepEqual(PairPipeline.from({ ...pipeline.toJSON(), reading: undefined }).reading, undefined);
  for (
    const wrong of [{ format: "xml" }, { ...reading, header: 1 }, { ...reading, quote: "'" }, { ...reading, more: "" }]
  ) {
    const state = { ...pipeline.toJSON(), reading: wrong };
    assert.throws(() => PairPipeline.from(state), /^TypeError: Cannot load preprocessing: preprocessing\.reading/);
  }
  const alike = async (name: string, text: string, options: PairReadOptions = {}) => {
    const asked = new Set(Object.keys(options)), given = { ...options, optionalTargets: true };
    return (await Array.fromAsync(readSuitedPairs(input(name, text), given, asked, stored.reading)))
      .map(({ source, target }) => [source, target]);
  };
  const turned = table("answer;question", rows.map((row) => row.split(";").toReversed().join(";")));
  const pairs = rows.map((row) => row.split(";"));
  assert.deepEqual(await alike("new.csv", turned), pairs);
  // From a pipe, the head tells; what has none is text.
  assert.deepEqual(await alike("standard input", text), pairs);
  assert.deepEqual(await alike("standard input", table("question", ["1 + 2"])), [["1 + 2", undefined]]);
  assert.deepEqual(await alike("standard input", "3 + 3; or so\n"), [["3 + 3; or so", undefined]]);
  assert.deepEqual(await alike("new.csv", table("any", ["1 + 2"])), [["1 + 2", undefined]]);
  assert.deepEqual(await alike("new.csv", "x,y\n1,2\n", { sourceColumn: "x", delimiter: "," }), [["1", undefined]]);
  await assert.rejects(
    alike("new.csv", table("source;target", rows)),
    /there is no column question, only source, target: the training pairs have it/,
  );
});
