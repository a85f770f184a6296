/** Losses and cells on the command line: trained, resumed, scored, predicted. */

import assert from "node:assert/strict";
import { assertFails, assertWorks, Place } from "./run.ts";

const json = (text: string) => text.trimEnd().split("\n").map((line) => JSON.parse(line));
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** 24 sequences with amounts, classes and flags to learn. */
const ROWS = Array.from({ length: 24 }, (_, i) => {
  const a = i % 5, b = (i * 7) % 6;
  return { id: `n${i}`, x: [[a, b], [b, i % 3]], y: [a - b / 3 + i % 2, 2 * b], kind: "abc"[(a + b) % 3]!, on: a > b };
});

/** A folder with them in files by what is to be learnt. */
async function samples(): Promise<Place> {
  const place = await Place.make();
  const write = (name: string, label: (row: typeof ROWS[number]) => unknown) =>
    place.write(name, ROWS.map((row) => JSON.stringify({ id: row.id, x: row.x, y: label(row) })).join("\n"));
  write("amounts.jsonl", ({ y }) => y);
  write("kinds.jsonl", ({ kind }) => kind);
  write("flags.jsonl", ({ on }) => on ? "yes" : "no");
  write("lists.jsonl", ({ on, kind }) => on ? [kind, "on"] : [kind]);
  place.write("sales.csv", `sales\n${Array.from({ length: 60 }, (_, t) => 50 + t + 8 * Math.sin(t)).join("\n")}\n`);
  return place;
}

/** What a model says of the rows, in their order. */
type Said = Record<"values" | "probabilities", Record<string, number>> & {
  readonly quantiles: Record<string, Record<string, number>>;
};

const pinball = (q: number, error: number) => Math.max(q * error, (q - 1) * error);
const errorsOf = (said: readonly Said[]) => said.flatMap(({ values }, i) => ROWS[i]!.y.map((y, o) => y - values[o]!));
const ofClass = (said: readonly Said[], loss: (p: number, all: readonly number[]) => number) =>
  mean(said.map(({ probabilities }, i) => loss(probabilities[ROWS[i]!.kind]!, Object.values(probabilities))));
const focal = (p: number, gamma: number) => -((1 - p) ** gamma) * Math.log(p);

/** Losses by what is typed, with the mean that their formula gives of what the model says. */
const LOSSES: Record<string, (said: readonly Said[]) => number> = {
  "amounts.jsonl --no-standardize --loss mae": (said) => mean(errorsOf(said).map(Math.abs)),
  "amounts.jsonl --no-standardize --loss huber --delta 0.5 --cell lstm": (said) =>
    mean(errorsOf(said).map(Math.abs).map((e) => e <= 0.5 ? e * e / 2 : 0.5 * (e - 0.25))),
  "amounts.jsonl --no-standardize --loss quantile --quantiles 0.2,0.5,0.9": (said) =>
    mean(
      said.flatMap(({ quantiles }, i) =>
        ROWS[i]!.y.flatMap((y, o) => Object.entries(quantiles[o]!).map(([q, value]) => pinball(Number(q), y - value)))
      ),
    ),
  "kinds.jsonl --loss focal --focal-gamma 1.5 --focal-alpha 0.5": (said) => ofClass(said, (p) => 0.5 * focal(p, 1.5)),
  "kinds.jsonl --label-smoothing 0.3 --cell lstm --bidirectional": (said) =>
    ofClass(said, (p, all) => -0.7 * Math.log(p) - 0.3 * mean(all.map(Math.log))),
  "kinds.jsonl --one-hot --loss binaryFocal": (said) =>
    mean(
      said.flatMap(({ probabilities }, i) =>
        Object.entries(probabilities).map(([name, p]) => focal(name === ROWS[i]!.kind ? p : 1 - p, 2))
      ),
    ),
  "flags.jsonl --task binary --loss binaryFocal --focal-gamma 1 --focal-alpha 0.75": (said) =>
    mean(said.map(({ probabilities: { yes } }, i) => ROWS[i]!.on ? 0.75 * focal(yes!, 1) : 0.25 * focal(1 - yes!, 1))),
  "lists.jsonl --loss binaryFocal --focal-gamma 0": (said) =>
    mean(
      said.flatMap(({ probabilities }, i) =>
        Object.entries(probabilities).map(([name, p]) =>
          focal(name === ROWS[i]!.kind || name === "on" && ROWS[i]!.on ? p : 1 - p, 0)
        )
      ),
    ),
};

for (const [line, byHand] of Object.entries(LOSSES)) {
  Deno.test(`the loss is the formula's, and resumes to the same bits: ${line}`, async () => {
    await using place = await samples();
    const [file] = line.split(" ") as [string];
    const [whole] = await Promise.all([
      place.run(`train ${line} --test-split 0 --epochs 4 --checkpoint whole --quiet`),
      place.run(`train ${line} --test-split 0 --epochs 2 --checkpoint half --quiet`),
    ]);
    assertWorks(whole!);
    const [resumed, evaluated, predicted] = await Promise.all([
      place.run("train --resume half/last.json --epochs 4 --checkpoint again --quiet"),
      place.run(`evaluate whole/last.json ${file} --quiet`),
      place.run(`predict whole/last.json ${file}`),
    ]);
    [resumed, predicted].forEach(assertWorks);
    assert.match(evaluated!.err, /^note: these are the \d+ sequences that it was trained on\n$/);
    assert.equal(place.read("again/last.json"), place.read("whole/last.json"));
    const loss = Number(evaluated!.out.match(/: loss ([\d.e-]+)/)![1]), expected = byHand(json(predicted!.out));
    // Four digits are shown.
    assert.ok(Math.abs(loss / expected - 1) < 6e-4, `${loss}, by hand ${expected}`);
  });
}

Deno.test("quantiles are said and scored in the data's units, whichever file the model is in", async () => {
  await using place = await samples();
  const flags = "--loss quantile --quantiles 0.1,0.5,0.9 --epochs 30 --lr 0.02 --report run.html";
  const trained = await place.run(`train amounts.jsonl --test-split 0.25 ${flags} --checkpoint ck`);
  assertWorks(trained);
  assert.match(trained.out, /^training .* loss quantile, .*quantiles 0\.1,0\.5,0\.9$/m);
  assert.match(trained.out, /^quantile +pinball +coverage$/m);
  assert.match(place.read("run.html"), /Not above quantile 0\.9/);
  const [scored, said, csv] = await Promise.all([
    place.run("evaluate ck/last.json amounts.jsonl --quiet"),
    place.run("predict ck/last.json amounts.jsonl"),
    place.run("predict ck/last.json amounts.jsonl --output csv"),
  ]);
  const rows = json(said.out) as Said[];
  const errors = (q: number) => rows.flatMap(({ quantiles }, i) => ROWS[i]!.y.map((y, o) => y - quantiles[o]![q]!));
  for (const q of [0.1, 0.5, 0.9]) {
    const [, loss, share] = scored.out.match(new RegExp(`pinball@${q} (\\S+), coverage@${q} (\\S+) %`))!;
    const expected = mean(errors(q).map((error) => pinball(q, error)));
    assert.ok(Math.abs(Number(loss) / expected - 1) < 6e-4, `${loss}, by hand ${expected}`);
    assert.equal(share, (100 * mean(errors(q).map((error) => Number(error <= 0)))).toFixed(2));
  }
  const mae = Number(scored.out.match(/MAE (\S+),/)![1]);
  assert.ok(Math.abs(mae / mean(errors(0.5).map(Math.abs)) - 1) < 6e-4);
  const [head, first] = csv.out.split("\n");
  assert.equal(head, "id,0 0.1,0 0.5,0 0.9,1 0.1,1 0.5,1 0.9");
  assert.equal(first, ["n0", ...Object.values(rows[0]!.quantiles).flatMap((all) => Object.values(all))].join(","));
  const [model, onnx] = await Promise.all(
    ["safetensors", "onnx"].map((to) => place.run(`convert ck/last.json model.${to} --quiet`)),
  );
  assertWorks(model!);
  assertWorks(onnx!);
  assert.equal((await place.run("predict model.safetensors amounts.jsonl")).out, said.out);
  assert.match((await place.run("info ck/last.json")).out, /^loss quantile 0\.1, 0\.5, 0\.9$/m);
});

Deno.test("forecasts take losses too: quantiles of the rows to come, in the column's units", async () => {
  await using place = await samples();
  const task = "train sales.csv --target-column sales --window 6 --epochs 40 --lr 0.01";
  const [quantiles, huber, mae] = await Promise.all([
    place.run(`${task} --loss quantile --quantiles 0.25,0.75 --horizon 2 --season 6 --checkpoint ck --report run.html`),
    place.run(`${task} --loss huber --delta 2 --transform difference --cell lstm --quiet`),
    place.run(`${task} --loss mae --seeds 2 --quiet`),
  ]);
  [quantiles, huber, mae].forEach(assertWorks);
  assert.match(quantiles.out, /^persistence .*\nseasonal .*\n\nquantile +pinball +coverage\n0\.25 .*\n0\.75 /m);
  assert.match(huber.out, /MAE .* R² /);
  assert.match(mae.out, /^mean of 2 {2}MAE /m);
  const [said, evaluated] = await Promise.all([
    place.run("predict ck/last.json sales.csv"),
    place.run("evaluate ck/last.json"),
  ]);
  const rows = json(said.out);
  assert.deepEqual(rows.map(({ id }) => id), ["sales.csv +1", "sales.csv +2"]);
  for (const { quantiles: { sales } } of rows) assert.ok(sales[0.25] < sales[0.75] && sales[0.25] > 70, said.out);
  const scores = /test of 11 sequences: .*/;
  assert.equal(evaluated.out.match(scores)![0], quantiles.out.match(scores)![0]);
});

Deno.test("the sample job takes every loss, and resumes to the same bits", async () => {
  await using place = await Place.make();
  const small = "train --size 40 --hidden-size 4";
  const flags = [
    "--loss focal --cell lstm",
    "--loss quantile --quantiles 0.3,0.7",
    "--loss huber",
    "--loss binaryFocal",
  ];
  for (const [i, flag] of flags.entries()) {
    const results = await Promise.all([
      place.run(`${small} ${flag} --epochs 3 --checkpoint whole${i}`),
      place.run(`${small} ${flag} --epochs 2 --checkpoint half${i}`),
    ]);
    results.forEach(assertWorks);
    const [resumed, evaluated, predicted] = await Promise.all([
      place.run(`train --resume half${i}/last.json --epochs 3 --checkpoint again${i}`),
      place.run(`evaluate whole${i}/last.json`),
      place.run(`predict whole${i}/last.json`),
    ]);
    [resumed, evaluated, predicted].forEach(assertWorks);
    assert.equal(place.read(`again${i}/last.json`), place.read(`whole${i}/last.json`));
    // The last epoch's loss on the test data is that of the same weights on the same data.
    const last = results[0]!.out.match(/epoch 3\/3 .* validation loss (\S+)/)![1];
    assert.match(evaluated!.out, new RegExp(`^validation +loss ${last} `, "m"));
    const [first] = json(predicted!.out);
    if (flag.includes("quantile")) assert.deepEqual(Object.keys(first.quantiles["value 1"]), ["0.3", "0.7"]);
    else assert.equal(first.class !== undefined, !flag.includes("huber"));
  }
});

Deno.test("a loss that does not fit, or a setting of another, is refused by name", async () => {
  await using place = await samples();
  const forecast = "sales.csv --target-column sales --window 6";
  const cases: Record<string, string> = {
    "kinds.jsonl --loss mae": "--loss mae does not fit the task multiclass: it must be crossEntropy or focal",
    "kinds.jsonl --loss bce":
      "--loss bce does not fit the task multiclass: it must be crossEntropy or focal, or with " +
      "--one-hot or --task binary bce or binaryFocal",
    "kinds.jsonl --one-hot --loss focal":
      "--loss focal does not fit the task multiclass: it must be bce or binaryFocal",
    "amounts.jsonl --loss bce":
      "--loss bce does not fit the task regression: it must be mse or mae or huber or quantile",
    [`${forecast} --loss focal`]:
      "--loss focal does not fit the task forecast: it must be mse or mae or huber or quantile",
    [`${forecast} --loss quantile`]: "--loss quantile needs --quantiles, such as 0.1,0.5,0.9",
    [`${forecast} --quantiles 0.5`]: "--quantiles belongs to --loss quantile, not to mse",
    [`${forecast} --loss quantile --quantiles 0.9,0.1`]: "--quantiles must rise, got 0.9,0.1",
    [`${forecast} --loss quantile --quantiles 0.9 --horizon 2 --transform difference`]:
      "--loss quantile with --transform difference takes --horizon 1: quantiles of changes do not add up",
    "kinds.jsonl --delta 2": "--delta belongs to --loss huber, not to crossEntropy",
    "--loss mse --label-smoothing 0.1": "--label-smoothing belongs to --loss crossEntropy, not to mse",
    "--focal-gamma 1": "--focal-gamma belongs to --loss focal or binaryFocal, not to bce",
    "kinds.jsonl --loss focal --class-weights balanced":
      "--class-weights is for classes and the loss crossEntropy, not for focal",
    "flags.jsonl --task binary --loss binaryFocal --pos-weight 2":
      "--pos-weight is for the loss bce, not for binaryFocal",
  };
  const results = await Promise.all(Object.keys(cases).map((line) => place.run(`train ${line}`)));
  results.forEach((result, i) => assertFails(result, 2, Object.values(cases)[i]!));
});
