/** Data that come divided into training and test data, and test data that were trained on. */

import assert from "node:assert/strict";
import { loadFflate } from "../../deps.ts";
import { writeNpz } from "../../core/data/readers/arrays.ts";
import { countShared } from "../../core/data/overlap.ts";
import { Random } from "../../core/random.ts";
import { readRecords } from "../../mod.ts";
import { assertFails, assertWorks, Place } from "./run.ts";

/** Sequences (N, 4, 2) of noise with a label of chance. */
function noise(seed: number, count: number) {
  const random = new Random(seed, "data");
  return {
    x: { shape: [count, 4, 2], data: Float32Array.from({ length: 8 * count }, () => random.normal()) },
    y: { shape: [count], data: Int32Array.from({ length: count }, (_, n) => n % 2) },
  };
}

/** Lines of the archive's text: a class, then numbers. */
function archive(seed: number, count: number): string {
  const { x, y } = noise(seed, count);
  return Array.from({ length: count }, (_, n) => [y.data[n], ...x.data.subarray(8 * n, 8 * n + 8)].join("\t")).join(
    "\n",
  );
}

const testLine = ({ out }: { out: string }) => out.match(/^test of .*$/m)![0];

Deno.test("one .npz with training and test arrays is understood as such, by the usual names", async () => {
  const train = noise(1, 24),
    test = noise(2, 10),
    data: string[][] = [
      ["x_train", "y_train", "x_test", "y_test"],
      ["X_TRAIN", "Y_TRAIN", "X_TEST", "Y_TEST"],
      ["trainX", "trainY", "testX", "testY"],
      ["train_data", "train_labels", "test_data", "test_labels"],
      ["Xtrain", "ytrain", "Xtest", "ytest"],
    ];
  for (const [xTrain, yTrain, xTest, yTest] of data) {
    const bytes = await writeNpz({ [xTrain!]: train.x, [yTrain!]: train.y, [xTest!]: test.x, [yTest!]: test.y });
    const input = { name: "data.npz", stream: () => new Blob([bytes]).stream() };
    for (const [part, { x, y }] of [["train", train], ["test", test]] as const) {
      const source = await readRecords(input, { part }), records = await Array.fromAsync(source.records);
      assert.equal(source.hasTest, true);
      assert.deepEqual(records.map(({ labels }) => Number(labels![0])), [...y.data]);
      assert.deepEqual(records.flatMap(({ values }) => [...values!]), [...x.data]);
    }
    await assert.rejects(readRecords(input), /there is no array x: it has /);
  }
  // Names that leave a doubt are not guessed at.
  const bytes = await writeNpz({ x_train: train.x, data_train: train.x, x_test: test.x });
  await assert.rejects(readRecords({ name: "a.npz", stream: () => new Blob([bytes]).stream() }, { part: "train" }));
});

Deno.test("a .npz with both parts is tested on its test arrays, and so is its checkpoint", async () => {
  await using place = await Place.make();
  const train = noise(1, 24), test = noise(2, 10), val = noise(3, 4);
  const arrays = { x_train: train.x, y_train: train.y, x_test: test.x, y_test: test.y };
  Deno.writeFileSync(`${place.path}/data.npz`, await writeNpz({ ...arrays, x_val: val.x, y_val: val.y }));
  Deno.writeFileSync(`${place.path}/test.npz`, await writeNpz(test));
  const trained = await place.run("train data.npz --epochs 2 --checkpoint ck");
  assertWorks(trained);
  assert.match(trained.out, /data\.npz: 24 sequences, 4 steps of 2/);
  assert.match(trained.out, /note: data\.npz: x is x_train, y is y_train; x_val, y_val left out/);
  const [stored, file, apart, asked, keys, split, predicted] = await Promise.all([
    place.run("evaluate ck/last.json"),
    place.run("evaluate ck/last.json data.npz"),
    place.run("evaluate ck/last.json test.npz"),
    place.run("evaluate ck/last.json data.npz --x-key x_train --y-key y_train"),
    place.run("train data.npz --x-key x_train --y-key y_train --test-data data.npz --epochs 2"),
    place.run("train data.npz --test-split 0.25 --epochs 1"),
    place.run("predict ck/last.json data.npz"),
  ]);
  for (const run of [stored!, file!, apart!, keys!]) assert.equal(testLine(run), testLine(trained));
  assert.match(asked!.err, /these are the 24 sequences that it was trained on/);
  assert.match(split!.out, /test: 6 sequences/);
  assert.match(split!.out, /the test data of the file are left out: another way to test is asked for/);
  assertFails(predicted!, 1, /it has x_train, y_train, x_test, y_test, x_val, y_val: --x-key NAME/);
});

Deno.test("a folder that holds X_TRAIN and X_TEST is used as such, and it is said", async () => {
  await using place = await Place.make();
  const write = (name: string, text: string) => place.write(name, text);
  for (const folder of ["Moves", "two", "plain"]) Deno.mkdirSync(`${place.path}/${folder}`);
  for (const ending of ["txt", "tsv"]) {
    write(`Moves/Moves_TRAIN.${ending}`, archive(1, 20));
    write(`Moves/Moves_TEST.${ending}`, archive(2, 10));
  }
  write("Moves/README.md", "about");
  for (const name of ["A", "B"]) {
    write(`two/${name}_TRAIN.tsv`, archive(1, 20));
    write(`two/${name}_TEST.tsv`, archive(2, 10));
  }
  write("plain/a.tsv", archive(1, 20));
  write("plain/b.tsv", archive(2, 20));
  const [folder, files, two, plain] = await Promise.all([
    place.run("train Moves --epochs 2 --checkpoint ck"),
    place.run("train Moves/Moves_TRAIN.tsv --test-data Moves/Moves_TEST.tsv --epochs 2"),
    place.run("train two --epochs 1"),
    place.run("train plain --epochs 1"),
  ]);
  assert.equal(
    folder!.err,
    "note: Moves: Moves_TRAIN.tsv is there to train on, Moves_TEST.tsv to test on; " +
      "left out: Moves_TEST.txt, Moves_TRAIN.txt\n",
  );
  assert.equal(testLine(folder!), testLine(files!));
  assertFails(two!, 2, /"two" holds several data sets, A, B: name the files to train on, and --test-data FILE/);
  assertWorks(plain!);
  const [evaluated, predicted] = await Promise.all([
    place.run("evaluate ck/last.json Moves"),
    place.run("predict ck/last.json Moves"),
  ]);
  assert.equal(testLine(evaluated!), testLine(folder!));
  assertFails(predicted!, 2, '"Moves" holds training data and test data: name one, such as Moves/Moves_TEST.tsv');
});

Deno.test("an archive that holds X_TRAIN and X_TEST is used as a folder is, and a file in it by its path", async () => {
  await using place = await Place.make();
  const { zipSync } = await loadFflate(), bytes = (text: string) => new TextEncoder().encode(text);
  place.write("a.tsv", archive(1, 20));
  place.write("b.tsv", archive(2, 10));
  const files = { "Moves/Moves_TRAIN.tsv": bytes(archive(1, 20)), "Moves/Moves_TEST.tsv": bytes(archive(2, 10)) };
  Deno.writeFileSync(`${place.path}/Moves.zip`, zipSync({ ...files, "__MACOSX/Moves_TRAIN.tsv": bytes("no") }));
  const [zip, apart, named] = await Promise.all([
    place.run("train Moves.zip --epochs 2 --checkpoint ck"),
    place.run("train a.tsv --test-data b.tsv --epochs 2"),
    place.run("train a.tsv --test-data Moves.zip/Moves/Moves_TEST.tsv --epochs 2"),
  ]);
  assert.equal(
    zip!.err,
    "note: Moves.zip: Moves/Moves_TRAIN.tsv is there to train on, Moves/Moves_TEST.tsv to test on\n",
  );
  for (const run of [zip!, named!]) assert.equal(testLine(run), testLine(apart!));
  const [stored, evaluated, predicted, missing] = await Promise.all([
    place.run("evaluate ck/last.json"),
    place.run("evaluate ck/last.json Moves.zip"),
    place.run("predict ck/last.json Moves.zip"),
    place.run("predict ck/last.json Moves.zip/none.tsv"),
  ]);
  for (const run of [stored!, evaluated!]) assert.equal(testLine(run), testLine(apart!));
  assertFails(predicted!, 2, /name one, such as Moves\.zip\/Moves\/Moves_TEST\.tsv$/m);
  assertFails(missing!, 1, /"Moves\.zip\/none\.tsv": there is no such file in this archive$/m);
});

Deno.test("test sequences that were trained on too are counted, whole or in part", async () => {
  await using place = await Place.make();
  place.write("train.tsv", archive(1, 20));
  place.write("test.tsv", [...archive(1, 20).split("\n").slice(0, 3), ...archive(2, 7).split("\n")].join("\n"));
  place.write("twice.tsv", [archive(1, 20), archive(1, 20)].join("\n"));
  const [same, some, twice, checked] = await Promise.all([
    place.run("train train.tsv --test-data train.tsv --epochs 1 --quiet"),
    place.run("train train.tsv --test-data test.tsv --epochs 1 --quiet"),
    place.run("train twice.tsv --epochs 1"),
    place.run("train train.tsv --epochs 1 --quiet --checkpoint ck").then(() =>
      place.run("evaluate ck/last.json train.tsv --quiet")
    ),
  ]);
  assert.equal(same!.err, "note: 20 of 20 test sequences are trained on too: the test data are the training data\n");
  assert.equal(some!.err, "note: 3 of 10 test sequences are trained on too\n");
  assert.match(twice!.out, /note: \d of 8 test sequences (is|are) trained on too$/m);
  assert.match(checked!.err, /16 of these 20 sequences were trained on: without files, evaluate scores the others/);
});

Deno.test("sequences are the same if their valid steps are, to the bit", () => {
  const data = (rows: number[][], T: number) => ({
    x: Float32Array.from(rows.flatMap((row) => [...row, ...new Array(T - row.length).fill(9)])),
    shape: [rows.length, T, 1],
    lengths: Int32Array.from(rows, ({ length }) => length),
  });
  const train = data([[1, 2], [1, 2, 3], [4]], 4), test = data([[1, 2, 3], [1, 2], [2, 1], [4, 9]], 3);
  assert.equal(countShared(test, train), 2);
  assert.equal(countShared(train, test), 2);
  assert.equal(countShared(train, train), 3);
});
