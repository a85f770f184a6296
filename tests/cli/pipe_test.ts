/** Predictions for rows of which some are bad. */

import assert from "node:assert/strict";
import { assertWorks, Place, ROOT } from "./run.ts";

/** A model, what it is asked, and which of the answers are errors. */
interface Case {
  readonly train: string;
  /** What was trained on. */
  readonly data: string;
  readonly rows: readonly string[];
  /** By the place of its answer. */
  readonly bad: Readonly<Record<number, RegExp>>;
  /** The names of all answers, where they are not those of lines. */
  readonly ids?: readonly string[];
}

const WIDE = "label,t0,t1,t2\n" + Array.from({ length: 12 }, (_, n) => `c${n % 2 ? 10 : 2},${n % 2},${n},1`).join("\n");

const CASES: Readonly<Record<string, Case>> = {
  "wide table": {
    train: "wide.csv",
    data: WIDE,
    rows: ["t0,t1,t2", "1,2,3", "1,,3", "2,3,4", "1,2,3,4", "1,x,3", '1,"2",3'],
    bad: { 1: /line 3, column t1: in training, --missing drop/, 3: /must have 3 columns, got 4/, 4: /got "x"/ },
  },
  "long table": {
    train: "long.csv --sequence-column id --time-column t",
    data: Deno.readTextFileSync(`${ROOT}/tests/testdata/own/moves.csv`).replace("kind", "label"),
    rows: [
      "id,t,speed,turn",
      ...[
        "a,1,2,3",
        "a,2,2,3",
        "b,1,2,3",
        "b,2,x,3",
        "b,3,2,3",
        "c,1,2,3",
        "c",
        "d,1,2,3",
        "d,0,2,3",
        "a,9,1,1",
        "e,1,2,3",
      ],
    ],
    bad: {
      1: /line 5, column speed .*got "x"/,
      2: /must have 4 columns, got 1/,
      3: /the time goes back/,
      4: /comes back after/,
    },
    ids: ["a", "b", "c", "d", "a", "e"],
  },
  "JSON Lines": {
    train: "lines.jsonl",
    data: Array.from({ length: 12 }, (_, n) => `{"x":[${n % 2},${n}],"y":"c${n % 2}"}`).join("\n"),
    rows: ['{"x":[1,2]}', "{", '{"x":[[1,2]],"id":"wide"}', "[3,4]", '{"x":[null,4]}', '{"x":[5]}'],
    bad: { 1: /line 2 is not JSON/, 2: /there must be 1 channel, got 2/, 4: /a value is missing/ },
    ids: [
      "standard input, line 1",
      "standard input, line 2",
      "wide",
      ...[4, 5, 6].map((n) => `standard input, line ${n}`),
    ],
  },
  "wide table with quotation marks": {
    train: "wide.csv",
    data: WIDE,
    rows: ["t0,t1,t2", '"1",2,3', '"1"2,2,3', '1,"2,3', "4,5,6"],
    bad: { 1: /line 3 has a quotation mark in the wrong place/, 2: /line 4 has a quotation mark without its second/ },
  },
  "texts": {
    train: "texts.txt",
    data: Array.from({ length: 12 }, (_, n) => `one ${n} two\tc${n % 2}`).join("\n"),
    rows: ['{"x":"one two"}', '{"x":[1]}', '{"x":"two"}'],
    bad: { 1: /there must be text, got numbers/ },
  },
};

for (const [name, { train, data, rows, bad, ids }] of Object.entries(CASES)) {
  Deno.test(`a pipe is answered line by line, bad rows too: ${name}`, async () => {
    await using place = await Place.make();
    place.write(train.split(" ")[0]!, data);
    assertWorks(await place.run(`train ${train} --epochs 1 --quiet --checkpoint ck`));
    const input = rows.join("\n") + "\n", isTable = rows[0]!.includes(",") && !rows[0]!.startsWith("{");
    const [piped, csv, filed] = await Promise.all([
      place.run("predict ck/last.json --input -", input),
      place.run("predict ck/last.json --input - --output csv", input),
      (async () => {
        place.write(`again.${isTable ? "csv" : "jsonl"}`, input);
        return await place.run(`predict ck/last.json again.${isTable ? "csv" : "jsonl"}`);
      })(),
    ]);
    const answers = piped!.out.trimEnd().split("\n").map((line) => JSON.parse(line));
    const errors = piped!.err.trimEnd().split("\n");
    assert.equal(piped!.code, 1);
    answers.forEach((answer, i) => {
      if (!bad[i]) return assert.ok("label" in answer && !("error" in answer), JSON.stringify(answer));
      assert.match(answer.error, bad[i]!);
      assert.deepEqual(Object.keys(answer), ["id", "error"]);
    });
    assert.equal(answers.length, ids?.length ?? rows.length - Number(isTable));
    const lines = rows.map((_, i) => `standard input, line ${i + 1}`).slice(Number(isTable));
    assert.deepEqual(answers.map(({ id }) => id), ids ?? lines);
    // One line of standard error for each, with the same words.
    assert.deepEqual(errors, answers.filter(({ error }) => error).map(({ error }) => `error: ${error}`));
    assert.equal(filed!.code, 1);
    assert.equal(filed!.out.split("\n").filter((line) => line.includes('"error"')).length, errors.length);
    const table = csv!.out.trimEnd().split("\n").slice(1).map((line) => line.split(/,(?! )/));
    assert.deepEqual(table.map(([, label]) => label), answers.map(({ label = "" }) => label));
  });
}

Deno.test("a tab in a text is no label: what the model does not know as one is part of the text", async () => {
  await using place = await Place.make();
  const texts = Array.from({ length: 16 }, (_, n) => [`one ${n % 5} two`, `c${n % 2}`]);
  place.write("last.txt", texts.map(([text, label], n) => `${text}${n % 3 ? "" : "\tmore"}\t${label}\n`).join(""));
  place.write("first.txt", texts.map(([text, label], n) => `${label}\t${text}${n % 3 ? "" : "\tmore"}\n`).join(""));
  const lines = "one 1 two\tmore\none 2 two\n", labeled = "one 1 two\tmore\tc1\none 2 two\tc0\n";
  place.write("new.txt", lines);
  place.write("labeled.txt", labeled);
  const same = lines.trimEnd().split("\n").map((x) => JSON.stringify({ x })).join("\n") + "\n";
  const said = ({ out }: { out: string }) => out.replaceAll(/"id":"[^"]*"/g, "");
  for (const train of ["last.txt", "first.txt --label-column 0"]) {
    const ck = train.split(".")[0];
    assertWorks(await place.run(`train ${train} --tokens words --epochs 2 --lr 0.1 --quiet --checkpoint ${ck}`));
    const [file, pipe, json, other] = await Promise.all([
      place.run(`predict ${ck}/last.json --input new.txt`),
      place.run(`predict ${ck}/last.json --input -`, lines),
      place.run(`predict ${ck}/last.json --input -`, same),
      place.run(`predict ${ck}/last.json --input labeled.txt`),
    ]);
    assertWorks(json!);
    for (const found of [file!, pipe!]) {
      assert.equal(said(found), said(json!));
      assert.equal(found.err, "note: 1 line with a tab has no label of the model: all of it is the text\n");
    }
    // Where a label stands that the model knows it is none of the text.
    if (train === "last.txt") assert.deepEqual([said(other!), other!.err], [said(json!), ""]);
  }
});

Deno.test("classes stand in one order, whatever the format of predictions", async () => {
  await using place = await Place.make();
  place.write("wide.csv", WIDE.replaceAll(/^c/gm, ""));
  assertWorks(await place.run("train wide.csv --epochs 1 --quiet --checkpoint ck"));
  const [json, csv] = await Promise.all(
    ["jsonl", "csv"].map((form) => place.run(`predict ck/last.json wide.csv --output ${form}`)),
  );
  assert.match(json!.out, /^\{"id":"wide\.csv, line 2","label":"\d+","probabilities":\{"10":[\d.]+,"2":[\d.]+\}\}\n/);
  assert.match(csv!.out, /^id,label,probability 10,probability 2\n/);
});

Deno.test("a forecast gives all steps of the horizon from a row on: as if the table ended there", async () => {
  await using place = await Place.make();
  const sales = Deno.readTextFileSync(`${ROOT}/tests/testdata/own/sales.csv`).trimEnd().split("\n");
  place.write("sales.csv", sales.join("\n"));
  place.write("cut.csv", sales.slice(0, 101).join("\n"));
  assertWorks(
    await place.run("train sales.csv --target-column sales --window 6 --horizon 3 --epochs 1 --quiet --checkpoint ck"),
  );
  const [cut, from, back, early, late, wide] = await Promise.all([
    place.run("predict ck/last.json --input cut.csv"),
    place.run("predict ck/last.json --input sales.csv --from-row 100"),
    place.run(`predict ck/last.json --input sales.csv --output csv --from-row ${100 - (sales.length - 1)}`),
    place.run("predict ck/last.json --input sales.csv --from-row 5"),
    place.run("predict ck/last.json --input sales.csv --from-row 121"),
    place.run("predict ck/last.json --from-row 100"),
  ]);
  assertWorks(from!);
  const rows = (text: string) => text.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(rows(from!.out).map(({ id }) => id), [100, 101, 102].map((row) => `sales.csv, row ${row}`));
  assert.deepEqual(rows(from!.out).map(({ values }) => values), rows(cut!.out).map(({ values }) => values));
  assert.equal(back!.out.split("\n")[2]!.split(",").at(-1), String(rows(from!.out)[1].values.sales));
  for (const { code, err } of [early!, late!]) {
    assert.match(`${code} ${err}`, /^2 error: --from-row must be from 6 to 120/);
  }
  assert.match(wide!.err, /^error: --from-row needs --input FILE/);
});
