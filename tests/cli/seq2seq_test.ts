import assert from "node:assert/strict";
import { signed } from "../checkpoints.ts";
import { assertFails, assertWorks, MOD, Place } from "./run.ts";

/** Pairs of a word and the same word backwards. */
const PAIRS = Array.from({ length: 60 }, (_, i) => {
  const word = [7, 3, 1].map((k) => "abcde"[(i * k + i % 7) % 5]).join("");
  return `${word}${"abcde"[i % 4]}${"edcba"[(i >> 2) % 5]}`;
}).map((word) => `${word}\t${[...word].reverse().join("")}`);

const TINY = "--task seq2seq --tokens characters --hidden-size 12 --batch-size 8 --embedding-dim 6 --seed 3";

async function trained(epochs = 2, ...more: string[]): Promise<Place> {
  const place = await Place.make();
  place.write("pairs.tsv", PAIRS.join("\n") + "\n");
  assertWorks(
    await place.run(`train pairs.tsv ${TINY} --epochs ${epochs} --checkpoint ck --quiet ${more.join(" ")}`.trim()),
  );
  return place;
}

/** What a training has come to, to the bit. */
function trainedState(place: Place): object {
  const { parameters, trainer, generator } = JSON.parse(place.read("ck/last.json"));
  assert.ok(parameters["fc.weight"] && trainer.state && generator);
  return { parameters, trainer, generator };
}

Deno.test("pairs of a .tsv are trained on, answered from a pipe, and scored", async () => {
  await using place = await trained(15, "--lr 0.02", "--test-split 0");
  const all = new Map(PAIRS.map((pair) => pair.split("\t") as [string, string]));
  const said = await place.run("predict ck/last.json --input -", [...all.keys()].join("\n") + "\n");
  const sources = PAIRS.slice(0, 5).map((pair) => pair.split("\t")[0]).join("\n") + "\n";
  const [text, best, alone, scores] = await Promise.all([
    place.run("predict ck/last.json --input -", sources),
    place.run("predict ck/last.json --input - --output jsonl --n-best 3 --beam 4", sources),
    place.run("predict ck/last.json --input -", sources.split("\n")[3] + "\n"),
    place.run("evaluate ck/last.json pairs.tsv --output json"),
  ]);
  for (const result of [text, best, alone]) assert.equal(result.code, 0, result.err);
  const answers = text.out.trimEnd().split("\n");
  assert.equal(answers.length, 5);
  for (const answer of answers) assert.match(answer, /^[a-e]*$/);
  assert.equal(alone.out.trimEnd(), answers[3]);
  const lines = best.out.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.equal(lines.length, 5);
  for (const { answers } of lines) {
    assert.equal(answers.length, 3);
    const sums = answers.map(({ score }: { score: number }) => score);
    assert.deepEqual(sums, sums.toSorted((a: number, b: number) => b - a));
    assert.equal(new Set(answers.map(({ text }: { text: string }) => text)).size, 3);
  }
  assert.equal(scores.code, 0, scores.err);
  const { count, scores: { exactMatch, tokenAccuracy } } = JSON.parse(scores.out);
  const right = [...all.values()].filter((target, i) => said.out.split("\n")[i] === target).length;
  assert.equal(count, all.size);
  assert.equal(exactMatch, right / all.size);
  assert.ok(exactMatch > 0.2 && tokenAccuracy >= exactMatch, `${exactMatch}, ${tokenAccuracy}`);
});

Deno.test("a training of pairs that is resumed writes the bytes of one that ran through", async () => {
  await using whole = await trained(4);
  await using part = await trained(2);
  assertWorks(await part.run("train --resume ck/last.json --epochs 4 --checkpoint ck --quiet"));
  assert.deepEqual(trainedState(part), trainedState(whole));
});

Deno.test("a training of pairs that was killed resumes to the same bytes", async () => {
  await using whole = await trained(12);
  await using place = await Place.make();
  place.write("pairs.tsv", PAIRS.join("\n") + "\n");
  const permissions = [`--allow-read=${place.path}`, `--allow-write=${place.path}`];
  const words = `train pairs.tsv ${TINY} --epochs 12 --checkpoint ck`.split(" ");
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, MOD, ...words],
    cwd: place.path,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "null",
  }).spawn();
  // Killed where the third epoch is told of.
  let said = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += text;
    if (/^epoch +3\//m.test(said)) break;
  }
  try {
    child.kill("SIGKILL");
  } catch { /* It was faster. */ }
  await child.status;
  assertWorks(await place.run("train --resume ck/last.json --epochs 12 --checkpoint ck --quiet"));
  assert.deepEqual(trainedState(place), trainedState(whole));
});

Deno.test("bad pairs and bad options are refused in one line", async () => {
  await using place = await trained(1);
  place.write("empty.tsv", "abc\tcba\nbcd\t\n");
  place.write("bare.tsv", "abc\tcba\nbcd\n");
  place.write(
    "other.tsv",
    PAIRS.join("\n").replaceAll(/[a-e]/g, (letter) => ({ a: "v", b: "w", c: "x", d: "y", e: "z" })[letter]!),
  );
  const refusals: [args: string, code: number, message: RegExp][] = [
    [`train empty.tsv ${TINY}`, 1, /empty\.tsv: line 2: the target is empty/],
    [`train bare.tsv ${TINY}`, 1, /bare\.tsv: line 2 must be a source, a tab and a target/],
    [
      `train pairs.tsv ${TINY} --max-target-length 3`,
      1,
      /pairs\.tsv, line \d+: the target has 5 tokens.*limit, 3.*--max-target-length/,
    ],
    [`train pairs.tsv ${TINY} --teacher-ratio 1.5`, 2, /--teacher-ratio must be a number from 0 to 1, got "1\.5"/],
    [`train pairs.tsv ${TINY} --teacher-ratio=-1`, 2, /--teacher-ratio must be a number from 0 to 1/],
    [
      "predict ck/last.json --input pairs.tsv --beam 8",
      2,
      /--beam must be at most 7, the tokens that answers have, got 8/,
    ],
    [`train pairs.tsv ${TINY} --n-best 8`, 2, /--n-best must be at most 7, the tokens that answers have, got 8/],
    [
      "evaluate ck/last.json pairs.tsv --min-answer 90",
      2,
      /--min-answer must be below 12, the most tokens of an answer/,
    ],
    [`train pairs.tsv ${TINY} --no-standardize`, 2, /--standardize is for numbers, not for texts/],
    ["train other.tsv --resume ck/last.json --epochs 3 --quiet", 1, /the data must be those of before/],
    [
      "train other.tsv --from ck/last.json",
      1,
      /does not know 5 tokens of the sources, first other\.tsv, line 1: .*--unknown-tokens/,
    ],
    ["evaluate ck/last.json other.tsv", 1, /knows none of the tokens of the sources in other\.tsv/],
    ["train pairs.tsv --from ck/last.json --hidden-size 8", 2, /--hidden-size cannot be changed with --from/],
    ["predict ck/last.json --input pairs.tsv --prefix zz", 2, /--prefix must be of tokens that answers have, got "z"/],
  ];
  for (const [args, code, message] of refusals) assertFails(await place.run(args), code, message);
});

Deno.test("symbols that training never had are noted, and answered all the same", async () => {
  await using place = await trained(1);
  const { code, out, err } = await place.run("predict ck/last.json --input -", "abzcd\n");
  assert.equal(code, 0);
  assert.equal(out.split("\n").length, 2);
  assert.match(err, /^note: .*1 .*"z"/);
});

Deno.test("the vocabulary of another model is refused", async () => {
  await using place = await trained(1);
  const checkpoint = JSON.parse(place.read("ck/last.json"));
  const { source } = checkpoint.preprocessing, list = Object.keys(source).find((key) => Array.isArray(source[key]));
  source[list!].push("z");
  place.write("other.json", signed(checkpoint));
  const result = await place.run("predict other.json --input -", "abc\n");
  assertFails(result, 1, /the source vocabulary has \d+ tokens, and the model takes \d+: it is from another file/);
});

Deno.test("one of the same size is, too", async () => {
  await using place = await trained(1);
  const checkpoint = JSON.parse(place.read("ck/last.json")), { tokens } = checkpoint.preprocessing.source;
  [tokens[0], tokens[1]] = [tokens[1], tokens[0]];
  place.write("other.json", signed(checkpoint));
  for (
    const args of ["predict other.json --input pairs.tsv", "train pairs.tsv --resume other.json", "evaluate other.json"]
  ) {
    assertFails(await place.run(args), 1, /the vocabulary, .*, is not the one that the model was trained with/);
  }
});

Deno.test("a training starts from the weights and tokens of a model of pairs", async () => {
  await using place = await trained(12, "--lr 0.02");
  place.write("few.tsv", PAIRS.slice(0, 30).join("\n"));
  const { code, out, err } = await place.run("train few.tsv --from ck/last.json --epochs 1 --seed 3 --output json");
  assert.equal(code, 0, err);
  const { before, scores } = JSON.parse(out);
  assert.ok(before.tokenAccuracy > 0.4 && scores.loss < 1.5, out);
  const { preprocessing } = JSON.parse(place.read("ck/last.json"));
  assertWorks(await place.run("train few.tsv --from ck/last.json --epochs 1 --checkpoint next --quiet"));
  assert.deepEqual(JSON.parse(place.read("next/last.json")).preprocessing, preprocessing);
  assertWorks(await place.run("train --resume next/last.json --epochs 2 --quiet"));
});

Deno.test("--sample dates trains with no permission, by the seed, and is no file's companion", async () => {
  await using place = await Place.make();
  const args = "train --sample dates --hidden-size 8 --epochs 1 --batch-size 256";
  const { code, out, err } = await place.runWith([], args);
  assert.deepEqual([code, err], [0, ""]);
  assert.match(out, /sample:dates:0: 8000 pairs/);
  assert.match(out, /test of 2000 sequences/);
  assertFails(
    await place.runWith([], `${args} a.tsv`),
    2,
    '--sample dates is data in place of files: leave "a.tsv" out',
  );
  assertFails(await place.runWith([], "train --sample none"), 2, '--sample must be one of dates, got "none"');
});

Deno.test("columns, signs and marks of the training pairs hold for others, and shared test pairs are counted", async () => {
  await using place = await Place.make();
  const cells = PAIRS.map((pair) => pair.split("\t"));
  place.write("train.csv", ["question;answer", ...cells.map((row) => row.join(";")), ""].join("\n"));
  place.write("turned.csv", ["answer,question", ...cells.map(([from]) => `none,${from}`), ""].join("\n"));
  place.write("other.csv", "text,reply\nab,ba\n");
  place.write(
    "test.csv",
    ["question;answer", ...cells.slice(0, 9).map((row) => row.join(";")), "zz;zz", ""].join("\n"),
  );
  assertWorks(await place.run(`train train.csv ${TINY} --epochs 2 --checkpoint ck --quiet`));
  const sources = cells.map(([from]) => from).join("\n") + "\n";
  const [text, file, turned, piped, head, other, shared] = await Promise.all([
    place.run("predict ck/last.json --input -", sources),
    place.run("predict ck/last.json --input train.csv"),
    place.run("predict ck/last.json --input turned.csv"),
    place.run("predict ck/last.json --input -", place.read("train.csv")),
    place.run("predict ck/last.json --input -", `question\n${sources}`),
    place.run("predict ck/last.json --input other.csv"),
    place.run(`train train.csv --test-data test.csv ${TINY} --epochs 1 --quiet`),
  ]);
  for (const result of [text, file, turned, piped, head]) {
    assert.deepEqual({ ...result, err: "" }, { ...text, err: "" });
  }
  assert.equal(text.out.trimEnd().split("\n").length, cells.length);
  assertFails(other, 1, /there is no column question, only text, reply: the training pairs have it$/m);
  assert.match(shared.err, /^note: the sources of 9 of 10 test pairs are trained on too$/m);
});
