/** Pairs of which a side, or both, are numbers: trained, predicted, scored, resumed, converted. */

import assert from "node:assert/strict";
import { Random } from "../../core/random.ts";
import { assertFails, assertWorks, Place } from "./run.ts";

const random = new Random(1, "data");

/** Sines of two channels, whose first goes on. */
const SERIES = Array.from({ length: 120 }, () => {
  const phase = 6 * random.uniform(), level = 50 + 20 * random.uniform();
  const at = (t: number) => level + 10 * Math.sin(phase + 0.4 * t);
  return {
    x: Array.from({ length: 12 }, (_, t) => [at(t), Math.cos(phase + 0.4 * t)]),
    y: Array.from({ length: 4 }, (_, t) => [at(12 + t)]),
  };
});

const TRAIN = "train series.jsonl --task seq2seq --hidden-size 12 --teacher-ratio 0 --lr 0.01 --batch-size 16 --quiet";

async function trained(flags: string, data: readonly object[] = SERIES): Promise<Place> {
  const place = await Place.make();
  place.write("series.jsonl", data.map((pair) => JSON.stringify(pair)).join("\n"));
  assertWorks(await place.run(`${TRAIN} --checkpoint ck ${flags}`));
  return place;
}

/** The lines of JSON that a command prints. */
function linesOf(result: { code: number; out: string; err: string }, code = 0) {
  assert.equal(result.code, code, result.err);
  return result.out.trimEnd().split("\n").map((line) => JSON.parse(line));
}

/** The document that one prints. */
function documentOf({ code, out, err }: { code: number; out: string; err: string }) {
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

Deno.test("numbers go on from a pipe, scored in the data's units, alone as in a batch", async () => {
  await using place = await trained("--epochs 12 --report page.html");
  const sources = SERIES.map(({ x }) => JSON.stringify(x)).join("\n");
  const said = linesOf(await place.run("predict ck/last.json --input -", sources));
  const alone = linesOf(
    await place.run("predict ck/last.json --input - --attention", JSON.stringify({ x: SERIES[7]!.x })),
  );
  assert.deepEqual(alone[0].y, said[7].y);
  assert.deepEqual(alone[0].attention.map((row: number[]) => row.length), [12, 12, 12, 12]);
  const squares = SERIES.flatMap(({ y }, n) => y.map(([value], t) => (value! - said[n].y[t][0]) ** 2));
  const rmse = Math.sqrt(squares.reduce((a, b) => a + b) / squares.length);
  const scores = documentOf(await place.run("evaluate ck/last.json series.jsonl --output json"));
  assert.equal(scores.count, 120);
  assert.ok(Math.abs(scores.scores.rmse - rmse) < 1e-4 * rmse && rmse < 5, `${scores.scores.rmse}, ${rmse}`);
  const page = place.read("page.html");
  for (const words of ["Forecasts", "Where the decoder looks"]) assert.ok(page.includes(words), words);
  const csv = await place.run(
    "predict ck/last.json --input - --output csv --max-answer 2",
    JSON.stringify(SERIES[7]!.x),
  );
  assert.deepEqual(csv.out.trimEnd().split("\n"), [
    "id,step,value 0",
    ...alone[0].y.slice(0, 2).map(([value]: [number], u: number) => `"standard input, line 1",${u},${value}`),
  ]);
});

Deno.test("quantiles are predicted for every step", async () => {
  await using place = await trained("--epochs 12 --loss quantile --quantiles 0.1,0.5,0.9");
  const sources = SERIES.map(({ x }) => JSON.stringify({ x })).join("\n");
  const said = linesOf(await place.run("predict ck/last.json --input -", sources));
  const scores = documentOf(await place.run("evaluate ck/last.json series.jsonl --output json"));
  assert.equal(scores.metrics.quantiles.length, 3);
  for (const { quantile, coverage } of scores.metrics.quantiles) {
    const below = SERIES.flatMap(({ y }, n) =>
      y.map(([value], t) => Number(value! <= said[n].quantiles[quantile][t][0]))
    );
    assert.ok(Math.abs(below.reduce((a, b) => a + b) / below.length - coverage) < 0.005);
  }
  assertWorks(await place.run("convert ck/last.json model.pt --quiet"));
  const again = linesOf(await place.run("predict model.pt --input -", sources));
  assert.deepEqual(again, said);
});

Deno.test("a training on numbers that is resumed writes the bytes of one that ran through", async () => {
  await using whole = await trained("--epochs 4 --seed 2");
  await using part = await trained("--epochs 2 --seed 2");
  assertWorks(await part.run("train --resume ck/last.json --epochs 4 --checkpoint ck --quiet"));
  const state = (place: Place) => {
    const { parameters, trainer, preprocessing, data } = JSON.parse(place.read("ck/last.json"));
    return { parameters, trainer, preprocessing, data };
  };
  assert.deepEqual(state(part), state(whole));
  assertWorks(await part.run("train series.jsonl --from ck/last.json --epochs 1 --quiet"));
});

Deno.test("numbers are named by tokens, and tokens said as numbers", async () => {
  const bends = Array.from({ length: 150 }, () => {
    const ways = Array.from({ length: 1 + random.below(3) }, () => ["UP", "DOWN"][random.below(2)]!);
    let at = 0;
    const x = ways.flatMap((way) =>
      [1, 2, 3].map(() => at += (way === "UP" ? 1 : -1) * (0.8 + 0.4 * random.uniform()))
    );
    return { x, y: ways.join(" ") };
  });
  await using named = await trained("--epochs 25 --target-tokens spaces --teacher-ratio 1 --hidden-size 24", bends);
  const { scores } = documentOf(await named.run("evaluate ck/last.json --output json"));
  assert.ok(scores.exactMatch > 0.6, JSON.stringify(scores));
  const said = await named.run("predict ck/last.json --input -", '[1,2,3,2,1,0]\n{"x":[[-1],[-2],[-3]]}\n');
  assert.deepEqual([said.code, said.out], [0, "UP DOWN\nDOWN\n"]);
  const spoken = bends.map(({ x, y }) => ({ x: y, y: x.map((value) => [value, 2 * value]) }));
  await using numbers = await trained("--epochs 25 --source-tokens spaces --hidden-size 24", spoken);
  const [{ y }] = linesOf(await numbers.run("predict ck/last.json --input - --max-answer 3", "UP\n"));
  assert.deepEqual(y.map((step: number[]) => step.length), [2, 2, 2]);
  const start = await named.run("predict ck/last.json --input - --output jsonl", '{"x":[1,2,3],"start":[1]}\n');
  assert.match(linesOf(start, 1)[0].error, /start belongs to targets of numbers/);
  assert.ok(y[2][0] > 1 && y[2][1] > 2, JSON.stringify(y));
});

Deno.test("sources that cannot be read have an error in their line, the others an answer", async () => {
  await using place = await trained("--epochs 1");
  const lines = ["[[1,2]]", "[[1]]", "abc", '{"x":[[1,null]]}', '{"x":"abc"}', '{"x":[[1,2]],"start":[50]}'];
  const said = linesOf(await place.run("predict ck/last.json --input -", lines.join("\n")), 1);
  assert.deepEqual(said.map(({ error }) => error !== undefined), [false, true, true, true, true, false]);
  const says = [
    /step 1: must have 2 numbers/,
    /line 3 is not JSON/,
    /line 4: x, step 1: a number is missing/,
    /got a text/,
  ];
  says.forEach((words, i) => assert.match(said[i + 1].error, words));
  assert.notDeepEqual(said[0].y, said[5].y);
});

Deno.test("what is not for numbers is refused", async () => {
  await using place = await trained("--epochs 1");
  const refusals: [args: string, message: RegExp][] = [
    [`${TRAIN} --tokens words`, /--tokens is for texts, not for numbers/],
    [`${TRAIN} --embedding-dim 8`, /--embedding-dim is for texts/],
    [`${TRAIN} --tied`, /--tied is for targets that are texts/],
    [`${TRAIN} --loss crossEntropy`, /--loss crossEntropy does not fit/],
    ...["beam 3", "n-best 2", "min-answer 1", "length-penalty 1", "coverage-penalty 1", "no-repeat 2", "prefix 1"]
      .concat("no-replace-unknown").flatMap((flag) => {
        const words = new RegExp(`--${flag.split(" ")[0]} is for answers that are texts`);
        return [
          [`predict ck/last.json --input series.jsonl --${flag}`, words],
          [`evaluate ck/last.json series.jsonl --${flag}`, words],
        ] as [string, RegExp][];
      }),
    ["evaluate ck/last.json series.jsonl --max-answer 2", /--max-answer is for predict where answers are numbers/],
    ["predict ck/last.json --input series.jsonl --output text", /--output text is for answers that are texts/],
  ];
  for (const [args, message] of refusals) assertFails(await place.run(args), 2, message);
});
