/** The command line on data of your own. Every run is a program of its own, with no permission but for its folder. */

import assert from "node:assert/strict";
import { loadFflate } from "../../deps.ts";
import { writeNpz } from "../../core/data/readers/arrays.ts";
import { type NpyArray, writeNpy } from "../../core/data/readers/npy.ts";
import { assertFails, assertWorks, MOD, Place, type Result, ROOT } from "./run.ts";

const LONG = "--data moves.csv --sequence-column id --time-column t --label-column kind";

/** A folder with the samples. */
async function samples(): Promise<Place> {
  const place = await Place.make();
  for (const name of ["moves.csv", "sales.csv", "reviews.txt"]) {
    place.write(name, Deno.readTextFileSync(`${ROOT}/tests/testdata/own/${name}`));
  }
  return place;
}

/** Several runs at once. */
function runAll(place: Place, lines: readonly string[]): Promise<Result[]> {
  return Promise.all(lines.map((line) => place.run(line)));
}

const bytes = (place: Place, name: string, content: Uint8Array) => Deno.writeFileSync(`${place.path}/${name}`, content);
const jsonLines = (text: string) => text.trimEnd().split("\n").map((line) => JSON.parse(line));

Deno.test("sequences of a long table: trained, kept, evaluated, predicted, with a report", async () => {
  await using place = await samples();
  const files = "--checkpoint ck --report run.html --tensorboard tb --log-file log.jsonl --plot";
  const trained = await place.run(`train ${LONG} --epochs 40 --lr 0.02 ${files}`);
  assertWorks(trained);
  assert.match(trained.out, /^data {7}moves\.csv: 29 sequences, 6 to 12 steps of 2, 3 classes$/m);
  assert.match(trained.out, /^ {11}test: 7 sequences$/m);
  assert.match(trained.out, /best epoch \d+ by the test data, test loss /);
  assert.match(trained.out, /test of 7 sequences: loss \S+, accuracy (8\d|9\d|100)\.\d\d %/);
  assert.match(trained.out, /training {3}\S+ test/);
  assert.match(place.read("run.html"), /<h1>moves\.csv<\/h1>/);
  assert.equal(place.read("log.jsonl").trimEnd().split("\n").length, 40);
  const [evaluated, predicted, csv, piped] = await Promise.all([
    place.run("evaluate ck/last.json"),
    place.run("predict ck/last.json --input moves.csv --attention"),
    place.run("predict ck/last.json moves.csv --output csv"),
    place.run("predict ck/last.json --input -", place.read("moves.csv")),
  ]);
  const scores = /test of 7 sequences: .*/;
  assert.equal(evaluated.out.match(scores)![0], trained.out.match(scores)![0]);
  const rows = jsonLines(predicted.out);
  assert.equal(rows.length, 36);
  assert.deepEqual(Object.keys(rows[0].probabilities), ["cruise", "start", "stop"]);
  assert.equal(rows[0].attention.length, 6);
  assert.equal(csv.out.split("\n")[0], "id,label,probability cruise,probability start,probability stop");
  assert.deepEqual(
    csv.out.trimEnd().split("\n").slice(1).map((line) => line.split(",").slice(0, 2)),
    rows.map(({ id, label }) => [id, label]),
  );
  assert.deepEqual(jsonLines(piped.out), rows.map(({ attention: _, ...row }) => row));
});

Deno.test("each score of the last line is the one its name says", async () => {
  await using place = await samples();
  // One class in five, and nothing to tell it by: balanced accuracy and macro F1 are far apart.
  const rows = Array.from({ length: 100 }, (_, i) => `${i % 5 ? "usual" : "rare"},${i * 37 % 11},${i * 53 % 7}`);
  place.write("rare.csv", `label,a,b\n${rows.join("\n")}\n`);
  const trained = await place.run("train rare.csv --label-column label --epochs 2 --hidden-size 4");
  assertWorks(trained);
  const { balanced, f1 } = trained.out.match(/balanced accuracy (?<balanced>\S+) %, macro F1 (?<f1>\S+),/)!.groups!;
  const table = [...trained.out.matchAll(/^(?:usual|rare) +\S+% +(\S+)% +(\S+)% +\d+$/gm)].slice(0, 2);
  const mean = (column: number) => table.reduce((sum, row) => sum + Number(row[column]), 0) / table.length;
  assert.ok(Math.abs(mean(1) - mean(2)) > 4, trained.out);
  assert.ok(Math.abs(Number(balanced) - mean(1)) < 0.06, trained.out);
  assert.ok(Math.abs(100 * Number(f1) - mean(2)) < 0.06, trained.out);
});

Deno.test("channels go by their names: another order is put right, another name is refused", async () => {
  await using place = await samples();
  assertWorks(await place.run(`train ${LONG} --epochs 2 --checkpoint ck`));
  const cells = place.read("moves.csv").trimEnd().split("\n").map((line) => line.split(","));
  place.write("turned.csv", cells.map(([id, t, speed, turn]) => `${turn},${id},${speed},0,${t}`).join("\n"));
  place.write("turned.csv", place.read("turned.csv").replace("turn,id,speed,0,t", "turn,id,speed,more,t"));
  place.write("renamed.csv", place.read("moves.csv").replace("turn", "twist"));
  const [same, turned, renamed, mixed] = await runAll(place, [
    "predict ck/last.json moves.csv",
    "predict ck/last.json turned.csv",
    "predict ck/last.json renamed.csv",
    `train ${LONG} --data renamed.csv`,
  ]);
  assert.equal(turned!.err, "note: turned.csv: 1 column left out, which the training data do not have: more\n");
  assert.equal(turned!.out, same!.out);
  const message =
    "cannot read renamed.csv: there is no column turn, only id, t, speed, twist, kind: the training data have it";
  assertFails(renamed!, 1, message);
  assertFails(mixed!, 1, message);
});

Deno.test("a training on data of your own resumes to the same bits, and not on other data", async () => {
  await using place = await samples();
  assertWorks(await place.run(`train ${LONG} --epochs 2 --checkpoint half`));
  place.write("other.csv", place.read("moves.csv").replace("3.97", "3.98"));
  const [, resumed, other, columns] = await runAll(place, [
    `train ${LONG} --epochs 4 --checkpoint whole`,
    "train --resume half/last.json --epochs 4 --checkpoint again",
    "train --resume half/last.json --epochs 4 --data other.csv --quiet",
    "train --resume half/last.json --label-column t",
  ]);
  assertWorks(resumed!);
  assert.equal(place.read("again/last.json"), place.read("whole/last.json"));
  assertFails(other!, 1, /cannot resume from "half\/last\.json": the data must be those of before, sha256:/);
  assertFails(columns!, 2, /--label-column cannot be changed on --resume/);
});

Deno.test("forecasts: rows divided in time, two baselines, a validation part, what comes next", async () => {
  await using place = await samples();
  const task = "train --data sales.csv --target-column sales --window 12";
  const [one, seeds, folds, folded, late, rows, early] = await runAll(place, [
    `${task} --season 12 --epochs 30 --lr 0.01 --transform difference --validation-split 0.2 --patience 5 --checkpoint ck`,
    `${task} --horizon 2 --epochs 2 --seeds 2 --quiet`,
    `${task} --target-column price --feature-columns sales,price --walk-forward 2 --epochs 2 --quiet`,
    `${task} --folds 3`,
    `${task} --train-rows 50:100 --test-rows 40:60`,
    `${task} --test-rows 100:130`,
    `${task} --season 200`,
  ]);
  assertWorks(one!);
  assert.match(
    one!.out,
    /train: \d+ windows, targets in rows 0:77\n {11}validation: 19 windows, targets in rows 77:96/,
  );
  assert.match(one!.out, /^persistence +60\.43 .*\nseasonal +42\.03 /m);
  assert.match(seeds!.out, /^seed 0 .*\nseed 1 .*\nmean of 2 {2}loss /);
  assert.match(folds!.out, /^fold 1 .*\nfold 2 /);
  assertFails(
    folded!,
    2,
    /^error: --folds is for labeled sequences and pairs, not for forecasts: --train-rows and --test-rows divide/,
  );
  assertFails(late!, 2, "rows 50:100 to train on must come before rows 40:60 to test on");
  assertFails(rows!, 2, '--test-rows must be FROM:TO within rows 0 to 120, got "100:130"');
  assertFails(early!, 1, /^error: cannot forecast by season: column "sales" has no value 200 rows before /);
  const holes = place.read("sales.csv").split("\n");
  place.write("holes.csv", holes.map((line, i) => i === 50 ? line.replace(/,[^,]*/, ",") : line).join("\n"));
  for (const missing of ["drop", "zero"]) {
    const { out } = await place.run(`${task.replace("sales.csv", "holes.csv")} --missing ${missing} --epochs 1`);
    // A window has 12 rows and the one that it forecasts; what stands in for a value is nothing to forecast.
    const count = missing === "drop" ? "13 windows" : "1 window";
    assert.ok(out.includes(`targets in rows 0:96; ${count} left out: values are missing\n`), out);
  }
  // A file to evaluate on that is the one of training: what was held out is scored, not what was trained on.
  const [head, ...sales] = place.read("sales.csv").trimEnd().split("\n");
  place.write("later.csv", [head, ...sales.slice(60), ""].join("\n"));
  // The same table, grown: what is new was held out too.
  const more = Array.from({ length: 24 }, (_, i) => `${2025 + Math.floor(i / 12)}-${i % 12 + 1},${200 + i},9`);
  place.write("grown.csv", [head, ...sales, ...more, ""].join("\n"));
  const [stored, same, asked, last, later, grown] = await runAll(place, [
    "evaluate ck/best.json",
    "evaluate ck/best.json sales.csv",
    "evaluate ck/best.json sales.csv --test-rows 80:120",
    "evaluate ck/best.json sales.csv --test-rows=-24:",
    "evaluate ck/best.json later.csv",
    "evaluate ck/best.json grown.csv",
  ]);
  for (const { code } of [stored!, same!, asked!, last!, later!, grown!]) assert.equal(code, 0);
  assert.equal(same!.out, stored!.out.slice(stored!.out.indexOf("test of")));
  assert.equal(last!.out, same!.out);
  const seen = "rows 0:96 were trained on\n";
  assert.equal(same!.err, `note: rows 96:120 are scored, which were held out; ${seen}`);
  assert.equal(asked!.err, `note: rows 80:120 are scored; ${seen}`);
  const other = "this is not the table that was trained on, though rows of it may be";
  assert.equal(later!.err, `note: rows 0:60 are scored; ${other}\n`);
  assert.equal(grown!.err, `note: rows 96:144 are scored, which were held out; ${seen}`);
  // Without a validation part, the best epoch was chosen by what was held out.
  assertWorks(await place.run(`${task} --epochs 30 --lr 0.05 --checkpoint chosen`));
  const chosen = await place.run("evaluate chosen/best.json sales.csv");
  assert.match(
    chosen.err,
    /which were held out; .*\nnote: this epoch was the best on these very data, so the scores are/,
  );
  const next = await place.run("predict ck/best.json sales.csv");
  assert.match(next.out, /^\{"id":"sales\.csv \+1","values":\{"sales":1\d\d\.\d+\}\}\n$/);
});

Deno.test("texts, arrays, several labels and targets, weights", async () => {
  await using place = await samples();
  const x: NpyArray = { shape: [12, 3, 2], data: Float32Array.from({ length: 72 }, (_, i) => (i >> 3) % 3 + i % 5) };
  const y: NpyArray = { shape: [12], data: Int32Array.from({ length: 12 }, (_, i) => i % 2) };
  bytes(place, "x.npy", writeNpy(x));
  bytes(place, "y.npy", writeNpy(y));
  bytes(place, "d.npz", await writeNpz({ x, y }));
  const row = (i: number) => [i % 4, (i * 7) % 5, i % 3];
  const lines = (of: (i: number) => string) => Array.from({ length: 20 }, (_, i) => of(i)).join("\n");
  place.write("several.csv", `a,b,c,up,big\n${lines((i) => [...row(i), i % 2, Number(i % 3 > 0)].join(","))}`);
  place.write("targets.jsonl", lines((i) => JSON.stringify({ x: row(i), y: [i / 3, -i] })));
  place.write("weighted.csv", `a,b,c,w,label\n${lines((i) => [...row(i), 1 + i % 2, "xy"[i % 2]].join(","))}`);
  const flags = "--epochs 2 --quiet", several = `train several.csv --label-column up,big ${flags}`;
  const results = await runAll(place, [
    `train reviews.txt ${flags}`,
    `train d.npz --task binary ${flags}`,
    `train x.npy --label-file y.npy ${flags}`,
    `${several} --pos-weight 1,2`,
    `train targets.jsonl ${flags}`,
    `train weighted.csv --weight-column w --class-weights balanced ${flags}`,
    `train weighted.csv --weight-column w --folds 2 --seeds 2 ${flags}`,
  ]);
  results.forEach(assertWorks);
  const out = results.map(({ out }) => out);
  assert.match(out[0]!, /^test of 10 sequences: .* ROC AUC /);
  assert.equal(out[1]!.split(",").length, 5);
  assert.match(out[3]!, /all labels right /);
  assert.match(out[4]!, /MSE .* R² /);
  assert.match(out[6]!, /^seed 0, fold 1 .*\nseed 0, fold 2 .*\nseed 1, fold 1 .*\nseed 1, fold 2 .*\nmean of 4 /);
  assertWorks(await place.run("train reviews.txt --epochs 30 --lr 0.01 --checkpoint ck"));
  const said = await place.run("predict ck/last.json --input -", "a lovely day\nthe hotel was awful\n");
  assert.deepEqual(jsonLines(said.out).map(({ id, label }) => [id, label]), [
    ["standard input, line 1", "1"],
    ["standard input, line 2", "0"],
  ]);
  const [npz, npy] = await runAll(place, [`train d.npz ${flags}`, `train x.npy --label-file y.npy ${flags}`]);
  assert.equal(npy!.out, npz!.out);
  assertFails(await place.run(`${several} --pos-weight 2`), 2, "--pos-weight must be 2 numbers, for up, big, got 1");
});

Deno.test("standard input is read once for all seeds; a checkpoint that came of it needs files", async () => {
  await using place = await samples();
  const args = `train ${LONG.replace("moves.csv", "-")} --epochs 1 --quiet`;
  const [seeds, one] = await Promise.all([
    place.runWith([], `${args} --seeds 2`, place.read("moves.csv")),
    place.run(`${args} --checkpoint ck`, place.read("moves.csv")),
  ]);
  assertWorks(seeds);
  assert.match(seeds.out, /^seed 0 .*\nseed 1 .*\nmean of 2 /);
  assertWorks(one);
  assertFails(
    await place.run("evaluate ck/last.json"),
    1,
    "cannot evaluate: it was trained on standard input; name files to evaluate on",
  );
});

Deno.test("what chooses among epochs is refused where it could only go by the test data", async () => {
  await using place = await samples();
  const why = "would select epochs on the test set and inflate its scores: add --validation-split 0.2";
  const flags = ["--patience 3", "--min-delta 1", "--restore-best", "--schedule plateau"];
  for (const [i, result] of (await runAll(place, flags.map((flag) => `train ${LONG} ${flag}`))).entries()) {
    assertFails(result, 2, `${flags[i]!.replace(/ [\d.]+$/, "")} ${why}`);
  }
  const split = "--validation-split 0.2", short = "--epochs 3 --quiet";
  const fine = [...flags.map((flag) => `${flag} ${split}`), "--patience 3 --test-split 0"];
  (await runAll(place, fine.map((flag) => `train ${LONG} ${flag} ${short}`))).forEach(assertWorks);
});

/** Bad files, each with what is said of it after its name. */
const BAD: Record<string, [content: string | Uint8Array, message: RegExp]> = {
  "empty.csv": ["", /the file is empty$/],
  "ragged.csv": ["a,b,label\n1,2,x\n1,2,3,y\n", /line 3 must have 3 columns, got 4$/],
  "letter.csv": ["a,b,label\n1,2,x\n1,foo,y\n", /line 3, column b must be a number, got "foo"$/],
  "words.csv": [
    "who,b,label\nme,2,x\n",
    /column who must be a number, got "me": --feature-columns .*--sequence-column who/,
  ],
  "again.csv": [
    "id,b,label\nme,2,x\nme,3,x\n",
    /line 3, column id is "me" again: --sequence-column NAME if a row is a step$/,
  ],
  "unlabelled.csv": ["a,b,c\n1,2,x\n", /no column is called label, .*: --label-column NAME$/],
  "half.csv": ["a,b,label\n1,2,x\n1,3,\n", /line 3, column label has no label$/],
  "one.csv": [
    "a,label\n1,x\n2,x\n3,x\n",
    /the label "x", from one\.csv, line 2 on: there must be two classes at least$/,
  ],
  "nan.csv": [
    "a,label\n1,x\nNaN,y\n2,x\n3,y\n",
    /missing at nan\.csv, line 3, column a: --missing drop .* zero, mean or last/,
  ],
  "mark.csv": ["a,label\n1,x\n?,y\n2,x\n3,y\n", /missing at mark\.csv, line 3, column a: --missing drop/],
  "twice.csv": ["a,a,label\n1,2,x\n", /line 1 names columns 1 and 2 both a$/],
  "latin.csv": [
    Uint8Array.of(97, 44, 121, 10, 49, 44, 0xe9, 10),
    /line 2 is not UTF-8, byte \d+ is 0xe9: --encoding latin1, or what else it is in$/,
  ],
  "none.jsonl": ['{"x":[1],"y":"a"}\n{"x":[],"y":"b"}\n', /line 2: x has no steps$/],
  "none.ts": ["@univariate true\n@classLabel true x y\n@data\n1,2:x\n:y\n", /line 5, value 1: there are no values$/],
  "word.ts": [
    "@univariate true\n@classLabel true x y\n@data\n1,2:x\n1,foo:y\n",
    /line 5, value 2 must be a number, got "foo"$/,
  ],
  "word.arff": [
    "@relation r\n@attribute a numeric\n@attribute c {x,y}\n@data\nfoo,y\n",
    /line 5, column a must be a number/,
  ],
  "untabbed.txt": ["good\t1\nbad\n", /line 2 must be a text, a tab and a label: there is no tab$/],
  "object.npy": [
    Deno.readFileSync(`${ROOT}/tests/testdata/readers/object.npy`),
    /dtype is object, .* texts as \.astype\(str\)/,
  ],
};

Deno.test("bad data is one line that names file, place and what to do; the exit code is 1", async () => {
  await using place = await Place.make();
  for (const [name, [content]] of Object.entries(BAD)) {
    if (typeof content === "string") place.write(name, content);
    else bytes(place, name, content);
  }
  const names = Object.keys(BAD), labels = (name: string) => name.endsWith(".npy") ? " --label-file y.npy" : "";
  bytes(place, "y.npy", writeNpy({ shape: [4], data: Int32Array.of(0, 1, 0, 1) }));
  for (let i = 0; i < names.length; i += 8) {
    const some = names.slice(i, i + 8);
    const results = await runAll(place, some.map((name) => `train ${name} --test-split 0${labels(name)}`));
    results.forEach((result, k) => {
      const name = some[k]!;
      assertFails(result, 1, new RegExp(BAD[name]![1].source, "m"));
      assert.ok(result.err.includes(name), result.err);
    });
  }
});

Deno.test("what is fine, or asked for, is taken: BOM, CRLF, missing values dropped or filled in; a new class is not", async () => {
  await using place = await Place.make();
  place.write("windows.csv", "\ufeffa,b,label\r\n1,2,x\r\n1,3,y\r\n1,4,x\r\n2,2,y\r\n");
  place.write("gaps.csv", "a,b,label\n1,2,x\n?,3,y\n1,4,x\n2,2,y\n");
  place.write("new.csv", "a,b,label\n1,2,x\n1,2,z\n");
  const flags = "--test-split 0 --epochs 1";
  const [windows, drop, mean, unseen] = await runAll(place, [
    `train windows.csv ${flags}`,
    `train gaps.csv --missing drop ${flags} --checkpoint ck`,
    `train gaps.csv --missing mean ${flags}`,
    "train windows.csv --test-data new.csv",
  ]);
  assert.match(windows!.out, /windows\.csv: 4 sequences, 2 steps of 1, 2 classes$/m);
  assert.match(drop!.out, /gaps\.csv: 3 sequences, .*; 1 sequence left out: values are missing$/m);
  assert.match(mean!.out, /gaps\.csv: 4 sequences, 2 steps of 1, 2 classes$/m);
  assertFails(unseen!, 1, /new\.csv, line 3: the label "z" was never seen in training, which has "x", "y"$/m);
  place.write("counts.csv", `a,b,label\n${Array.from({ length: 10 }, (_, i) => `${i},${i * i},${i}`).join("\n")}`);
  place.write("two.csv", "a,b,label\n1,2,x\n1,2,z\n");
  const [counts, two, folds, onnx] = await runAll(place, [
    "train counts.csv",
    "train two.csv",
    "train two.csv --folds 5",
    "convert ck/last.json model.onnx",
  ]);
  assertFails(counts!, 1, /was never seen in training, .*: --task regression takes labels for amounts$/m);
  assertFails(
    two!,
    1,
    "cannot divide two.csv: 2 sequences are too few for --test-split: --test-split 0 holds none out",
  );
  assertFails(folds!, 1, "cannot divide two.csv: --folds must be an integer from 2 to 2, got 5");
  assertWorks(onnx!);
  const described = await place.run("info model.onnx");
  assertWorks(described);
  assert.match(described.out, /^model\.onnx: onnx\nGRU .*\n(.*\n)*input x: float32 \[batch, time, 1\]\n/);
  assertFails(
    await place.run("evaluate model.onnx"),
    1,
    /^error: cannot read .*"model\.onnx"/,
  );
  for (const command of ["predict", "evaluate"]) {
    const { code, out, err } = await place.run(`${command} ck/last.json gaps.csv`);
    const seen = command === "evaluate" ? "; these are the 3 sequences that it was trained on" : "";
    assert.deepEqual([code, err], [0, `note: 1 sequence left out: values are missing${seen}\n`]);
    assert.match(out, command === "predict" ? /^(\{.*\}\n){3}$/ : /^test of 3 sequences: /);
  }
});

Deno.test("predict says what is wrong in place of a bad line, and any name", async () => {
  await using place = await Place.make();
  const names = ["__proto__", 'a,"b"', "constructor"];
  const record = (i: number) => JSON.stringify({ id: `n ${i}, "q"\n`, x: [i, i % 2], y: names[i % 3] });
  place.write("odd.jsonl", Array.from({ length: 9 }, (_, i) => record(i)).join("\n"));
  assertWorks(await place.run("train odd.jsonl --test-split 0 --epochs 1 --checkpoint ck"));
  place.write("bad.jsonl", `${place.read("odd.jsonl").split("\n").slice(0, 2).join("\n")}\n{"x":[1,"two"]}\n`);
  const [json, csv] = await runAll(place, [
    "predict ck/last.json bad.jsonl",
    "predict ck/last.json bad.jsonl --output csv",
  ]);
  for (const { code, err } of [json!, csv!]) {
    assert.deepEqual([code, err], [
      1,
      'error: cannot read bad.jsonl: line 3, x[1] must be a number or null, got "two"\n',
    ]);
  }
  const rows = jsonLines(json!.out);
  assert.equal(rows.length, 3);
  assert.equal(rows[2].error, 'cannot read bad.jsonl: line 3, x[1] must be a number or null, got "two"');
  assert.deepEqual(Object.entries(rows[0].probabilities).map(([name]) => name), names);
  assert.match(
    csv!.out,
    /^id,label,probability __proto__,"probability a,""b""",probability constructor\n"n 0, ""q""\n",/,
  );
});

Deno.test("predict answers a slow pipe while it is open", async () => {
  await using place = await samples();
  assertWorks(await place.run(`train ${LONG} --epochs 1 --checkpoint ck`));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-read=ck", MOD, "predict", "ck/last.json", "--input", "-"],
    cwd: place.path,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter(), reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (const id of ["first", "second"]) {
    await writer.write(new TextEncoder().encode(`{"id":"${id}","x":[[1,2],[3,4]]}\n`));
    // The pipe is open: without an answer this would wait for ever.
    assert.equal(JSON.parse((await reader.read()).value!).id, id);
  }
  await writer.close();
  assert.ok((await reader.read()).done);
  assert.equal((await child.status).code, 0);
});

Deno.test("without permission one line says what allows it, no more than is needed, and that does", async () => {
  await using place = await samples();
  const train = `train ${LONG} --epochs 1 --test-split 0 --quiet`;
  const needs = async (args: string, flags: string) => {
    const { code, err } = await place.runWith([], args);
    assert.equal(code, 1);
    const [, allowed] = err.match(/: no permission; to allow it: deno run (.*?) file:/)!;
    assert.equal(allowed, flags);
    const { code: done, err: said } = await place.runWith(flags.split(" "), args);
    assert.equal(done, 0, said);
    assert.doesNotMatch(said, /permission/);
  };
  await needs(train, "--allow-read=moves.csv");
  await needs(
    `${train} --checkpoint ck --report r.html --tensorboard tb`,
    "--allow-read=ck,. --allow-write=ck,.,tb",
  );
  await needs("evaluate ck/last.json moves.csv", "--allow-read=ck/last.json,moves.csv");
  await needs("predict ck/last.json --input moves.csv", "--allow-read=ck/last.json,moves.csv");
  await needs("info ck/last.json", "--allow-read=ck/last.json");
  await needs("convert ck/last.json model.pt", "--allow-read=.,ck/last.json --allow-write=.");
});

Deno.test("bad usage has exit code 2", async () => {
  await using place = await samples();
  const cases: Record<string, string> = {
    "--label-column kind": "--label-column needs --data FILE",
    "moves.csv --size 10": "--size is for the sample job's data, not for --data",
    "moves.csv --test-split 0.1 --folds 2 --label-column kind": "--test-split and --folds contradict each other",
    "moves.csv --horizon 2 --label-column kind": "--horizon needs --target-column NAME and --window N",
    "sales.csv --target-column sales": "--target-column needs --window N, the rows that a forecast sees",
    "sales.csv --task forecast": "--task forecast needs --target-column NAME, what is forecast",
    "moves.csv --label-column kind --seeds 2 --report r.html":
      "--report is for one training, not for several seeds or folds",
    "reviews.txt --pos-weight 2": "--pos-weight is for the loss bce, not for crossEntropy",
  };
  place.write("moves.csv", "a,b,kind\n1,2,x\n2,1,y\n1,2,x\n2,1,y\n1,2,x\n2,1,y\n");
  const results = await runAll(place, Object.keys(cases).map((line) => `train ${line}`));
  results.forEach((result, i) => assertFails(result, 2, Object.values(cases)[i]!));
});

Deno.test("a wide table's columns go by their names after training; what is lacking is refused, what is more is said", async () => {
  await using place = await Place.make();
  // Rising where the label says so: by the order of the columns.
  const rows = Array.from({ length: 24 }, (_, n) => [0, 1, 2, 3].map((t) => (n % 2 ? t : 3 - t) + n / 10));
  const table = (names: string[], of: (row: number[]) => number[], label = true) =>
    [
      [...names, ...label ? ["label"] : []],
      ...rows.map((row, n) => [...of(row), ...label ? [n % 2 ? "up" : "down"] : []]),
    ]
      .map((cells) => cells.join(",")).join("\n");
  const names = ["0", "1", "2", "3"];
  place.write("train.csv", table(names, (row) => row));
  place.write("reversed.csv", table([...names].reverse(), (row) => [...row].reverse()));
  place.write("extra.csv", table(["weather", ...names], (row) => [20, ...row]));
  place.write("extra.data", table(["weather", ...names], (row) => [20, ...row]));
  place.write("lacking.csv", table(names.slice(1), (row) => row.slice(1)));
  // Names that are numbers are no places.
  place.write("renamed.csv", table(["a", "b", "c", "d"], (row) => row));
  assertWorks(await place.run("train train.csv --test-split 0 --epochs 40 --lr 0.02 --checkpoint ck"));
  const evaluate = (name: string) => `evaluate ck/last.json --data ${name}.csv`;
  const [own, reversed, extra, lacking, renamed, predicted, other, piped, tested] = await Promise.all([
    ...["train", "reversed", "extra", "lacking", "renamed"].map((name) => place.run(evaluate(name))),
    place.run("predict ck/last.json reversed.csv --output csv"),
    place.run("predict ck/last.json extra.data --output csv"),
    place.run("predict ck/last.json --input - --format csv --output csv", place.read("reversed.csv")),
    place.run("train train.csv --test-data extra.csv --epochs 1"),
  ]);
  const scores = ({ out }: Result) => out.match(/: loss .*/)![0];
  assert.match(scores(own!), /accuracy 100\.00 %/);
  for (const result of [reversed!, extra!]) assert.equal(scores(result), scores(own!));
  // In another order they are the same data still.
  assert.equal(reversed!.err, "note: these are the 24 sequences that it was trained on\n");
  const note = /extra\.\w+: 1 column left out, which the training data do not have: weather(;|$)/m;
  assert.match(extra!.err, note);
  assert.match(tested!.out, note);
  assertFails(lacking!, 1, /lacking\.csv: there is no column 0.*: the training data have it$/m);
  assertFails(renamed!, 1, /renamed\.csv: there is no column 0: the training data have it$/m);
  const labels = ({ out }: Result) => out.match(/",(up|down),/g)?.map((cell) => cell.slice(2, -1));
  const expected = rows.map((_, n) => n % 2 ? "up" : "down");
  for (const result of [predicted!, other!, piped!]) assert.deepEqual(labels(result), expected);
  assert.match(other!.err, note);
});

Deno.test("what is left out of a folder is said, links are followed, and files without labels are classes", async () => {
  await using place = await Place.make();
  const lines = (word: string) => Array.from({ length: 12 }, (_, n) => `${word} ${n}`).join("\n");
  for (const folder of ["data", "data/more"]) Deno.mkdirSync(`${place.path}/${folder}`);
  place.write("data/one.txt", lines("eins"));
  place.write("data/two.txt", lines("zwei"));
  place.write("three.txt", lines("drei"));
  for (const name of ["README", "NOTES.txt", ".hidden"]) place.write(`data/${name}`, "About these data\n");
  Deno.symlinkSync("../three.txt", `${place.path}/data/three.txt`);
  Deno.symlinkSync("nowhere.txt", `${place.path}/data/four.txt`);
  const flags = "--tokens words --epochs 1";
  const [folder, files, mixed] = await runAll(place, [
    `train data ${flags}`,
    `train data/one.txt three.txt ${flags}`,
    `train data/one.txt data/more ${flags}`,
  ]);
  assert.match(folder!.out, /: 29 sequences, .* 3 classes$/m);
  assert.equal(
    folder!.err,
    "note: data: 5 left out that are no data: .hidden (hidden), NOTES.txt (about the data), README (about the data), " +
      "four.txt (link that leads nowhere), more (folder)\n",
  );
  assert.match(files!.out, /: 19 sequences, .* 2 classes$/m);
  assert.equal(files!.err, "note: the lines have no labels, so that each file is a class: one, three\n");
  assertFails(mixed!, 1, 'cannot read data "data/more": there is no file in this folder');
  place.write("labelled.txt", "so\tyes\nno\tno\n");
  const both = await place.run(`train data/one.txt labelled.txt ${flags}`);
  assertFails(both, 1, /one\.txt: line 1 must be a text, a tab and a label: there is no tab$/m);
});

Deno.test("among class files, what is none is left out or named, also where a pattern of the shell names it", async () => {
  await using place = await Place.make();
  const lines = (word: string) => Array.from({ length: 60 }, (_, n) => `${word} ${n}`).join("\n");
  for (const folder of ["data", "data/in"]) Deno.mkdirSync(`${place.path}/${folder}`);
  const classes = ["one", "two", "three"];
  for (const name of classes) place.write(`data/${name}.txt`, lines(name));
  for (const name of ["one.txt~", "one.txt.bak", "Thumbs.db", "make.py", "ATTRIBUTION.txt", "list.txt"]) {
    place.write(`data/${name}`, "one\ntwo\nthree\n");
  }
  place.write("README.txt", "About these data\n");
  const { zipSync } = await loadFflate();
  const files = Object.fromEntries(classes.map((name) => [`a/${name}.txt`, new TextEncoder().encode(lines(name))]));
  Deno.writeFileSync(`${place.path}/all.zip`, zipSync({ ...files, "a/make.py": new Uint8Array([10]) }));
  Deno.writeFileSync(`${place.path}/folders.zip`, zipSync({ ...files, "b/one.txt": files["a/one.txt"]! }));
  const flags = "--tokens words --epochs 1";
  const [folder, globbed, zip, folders] = await runAll(place, [
    `train data ${flags}`,
    `train data/one.txt README.txt data/two.txt ${flags}`,
    `train all.zip ${flags}`,
    `train folders.zip ${flags}`,
  ]);
  assert.match(folder!.out, /: 146 sequences, .* 4 classes$/m);
  assert.match(folder!.err, /make\.py \(another ending\), one\.txt\.bak \(another ending\), /);
  assert.match(folder!.out, /note: data\/list\.txt is a class of 3 texts, where others have 60: is it one\?$/m);
  assert.match(globbed!.out, /: 96 sequences, .* 2 classes$/m);
  assert.match(globbed!.err, /^note: left out, as no class: README\.txt \(about the data\)$/m);
  assert.match(zip!.out, /: 144 sequences, .* 3 classes$/m);
  assert.equal(zip!.err, "note: all.zip: 1 left out that is no data: a/make.py (another ending)\n");
  assertFails(folders!, 1, /it holds folders, a, b: a class is a file, a text a line: join the texts of each folder/);
});

Deno.test("what was found out about the files of training holds for those of prediction", async () => {
  await using place = await Place.make();
  const rows = Array.from({ length: 20 }, (_, i) => [i / 16, (i * 7 % 20) / 16, i % 3 / 4]);
  const lines = (head: string, write: (row: number[], i: number) => string) =>
    [head, ...rows.map(write), ""].join("\n");
  const classOf = ([, y]: number[]) => y! > 0.6 ? "up" : "down";
  place.write("wide.csv", lines("x,y,z,label", (row) => `${row},${classOf(row)}`));
  place.write("new.csv", lines("x,y,z", (row) => `${row}`));
  place.write("commas.csv", lines("a;b;label", (row) => `${row[0]};${row[1]};${classOf(row)}`.replaceAll(".", ",")));
  place.write("one.csv", "a;b\n1,250;0,125\n");
  place.write("point.csv", "a;b\n1.25;0.125\n");
  const words = (i: number) => i % 2 ? "good fine film" : "bad poor film";
  place.write("lines.txt", rows.map((_, i) => `${words(i)}\t${i % 2}\n`).join(""));
  place.write("new.jsonl", rows.map((_, i) => `${JSON.stringify({ x: words(i) })}\n`).join(""));
  place.write("new.txt", rows.map((_, i) => `${words(i)}\n`).join(""));
  const [wide, commas, text] = await runAll(place, [
    "train wide.csv --epochs 2 --checkpoint wide",
    "train commas.csv --epochs 2 --checkpoint commas",
    "train lines.txt --tokens words --epochs 2 --checkpoint lines",
  ]);
  for (const run of [wide!, commas!, text!]) assertWorks(run);
  assert.match(wide!.out, /\n {11}label column label: by its name\n/);
  const [labelled, bare, scored, one, point, json, plain] = await runAll(place, [
    "predict wide/last.json wide.csv",
    "predict wide/last.json new.csv",
    "evaluate wide/last.json new.csv",
    "predict commas/last.json one.csv",
    "predict commas/last.json point.csv",
    "predict lines/last.json new.jsonl",
    "predict lines/last.json new.txt",
  ]);
  for (const run of [labelled!, bare!, one!, json!, plain!]) assertWorks(run);
  // y is no label here, whatever it is called.
  assert.equal(bare!.out, labelled!.out.replaceAll("wide.csv", "new.csv"));
  assertFails(scored!, 1, /no column label, only x, y, z: the training data have it; --label-column says which one/);
  assert.match(point!.out, /^\{"id":"point\.csv, line 2","error":"[^\n]*decimal comma, got \\"1\.25\\"[^\n]*\}\n$/);
  assertFails({ ...point!, out: "" }, 1, /must be a number with a decimal comma, got "1.25"/);
  assert.equal(json!.out, plain!.out.replaceAll("new.txt", "new.jsonl"));
});

Deno.test("a list of JSON from a pipe is scored by a model of a table with names", async () => {
  await using place = await Place.make();
  const values = Array.from({ length: 20 }, (_, n) => [n % 5, n % 3, n % 2]);
  place.write("wide.csv", ["a,b,label", ...values.map((row) => row.join(",")), ""].join("\n"));
  assertWorks(await place.run("train wide.csv --epochs 1 --quiet --checkpoint ck"));
  const list = JSON.stringify(values.map(([a, b, label]) => ({ x: [a, b], y: label })));
  const [file, piped] = await Promise.all([
    place.run("evaluate ck/last.json wide.csv"),
    place.run("evaluate ck/last.json -", list),
  ]);
  assert.deepEqual(piped, file);
});
