import assert from "node:assert/strict";
import { divideRecords, divideRows } from "../../core/data/division.ts";
import type { SequenceRecord } from "../../core/data/readers/record.ts";
import { errorCause } from "../../core/errors.ts";

/** Ten records of two classes, in two files of six and four. */
const RECORDS = Array.from({ length: 10 }, (_, i) => ({
  values: Float32Array.of(i),
  steps: 1,
  channels: 1,
  labels: [i % 2 ? "odd" : "even"],
  place: `data.csv, line ${i + 1}`,
}));
const DATA = { name: "data.csv", records: RECORDS, files: RECORDS.map((_, i) => Number(i > 5)) };
const numbers = (part: readonly SequenceRecord[] | undefined) => part?.map(({ values }) => values![0]);
const all = (...parts: (readonly SequenceRecord[] | undefined)[]) =>
  parts.flatMap((part) => numbers(part) ?? []).sort((a, b) => a! - b!);

Deno.test("divideRecords() holds back a share of every class, a part of that to train on too, and loses nothing", () => {
  const [division] = divideRecords(DATA, { stratify: true, testSplit: 0.2, validationSplit: 0.25 }, 1);
  const { train, validation, test } = division!;
  assert.deepEqual(all(train, validation, test), RECORDS.map((_, i) => i));
  assert.deepEqual([train.length, validation!.length, test!.length], [6, 2, 2]);
  for (const part of [validation!, test!]) {
    assert.deepEqual(part.map(({ labels }) => labels![0]).sort(), ["even", "odd"]);
  }
});

Deno.test("divideRecords() takes every N-th record of each file, folds, other records, or nothing to test on", () => {
  const [nth] = divideRecords(DATA, { stratify: true, testEvery: 4 }, 0);
  assert.deepEqual(numbers(nth!.test), [0, 4, 6]);
  const folds = divideRecords(DATA, { stratify: true, folds: 5 }, 0);
  assert.deepEqual(folds.map(({ name }) => name), [1, 2, 3, 4, 5].map((n) => `fold ${n}`));
  assert.deepEqual(all(...folds.map(({ test }) => test)), RECORDS.map((_, i) => i));
  for (const { train, test } of folds) assert.deepEqual(all(train, test), RECORDS.map((_, i) => i));
  const others = RECORDS.slice(0, 1), [given] = divideRecords({ ...DATA, test: others }, { stratify: false }, 0);
  assert.deepEqual([given!.train, given!.test], [RECORDS, others]);
  const [none] = divideRecords(DATA, { stratify: true, testSplit: 0 }, 0);
  assert.deepEqual([none!.train, none!.test], [RECORDS, undefined]);
});

Deno.test("divideRecords() says what is too few for which option", () => {
  const one = { ...DATA, records: RECORDS.slice(0, 1), files: [0] };
  assert.throws(() => divideRecords(one, { stratify: false, testSplit: 0.5 }, 0), (error) => {
    const { code, name, option } = errorCause(error)!;
    assert.deepEqual({ code, name, option }, { code: "too-few-items", name: "sequence", option: "testSplit" });
    return true;
  });
});

Deno.test("divideRows() keeps to the order of time", () => {
  const table = { name: "t.csv", rows: 100 };
  assert.deepEqual(divideRows(table, {}), [{ train: [0, 80], test: [80, 100] }]);
  assert.deepEqual(divideRows(table, { validationSplit: 0.25 }), [
    { train: [0, 60], validation: [60, 80], test: [80, 100] },
  ]);
  assert.deepEqual(divideRows(table, { testSplit: 0 }), [{ train: [0, 100], test: undefined }]);
  assert.deepEqual(divideRows(table, { test: [50, 70], train: [10, 40] }), [{ train: [10, 40], test: [50, 70] }]);
  const folds = divideRows(table, { walkForward: 3 });
  assert.deepEqual(folds.map(({ name }) => name), ["fold 1", "fold 2", "fold 3"]);
  for (const { train, test } of folds) assert.equal(train[1], test![0]);
});
