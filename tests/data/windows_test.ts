import assert from "node:assert/strict";
import { type ForecastOptions, ForecastPipeline, type RowRange, type Table } from "../../mod.ts";
import { table, throughJson } from "./records.ts";

const count = (n: number, first = 0) => Array.from({ length: n }, (_, i) => first + i);
const plain = { targetColumns: ["a"], window: 3, standardize: false };
const round = (values: Iterable<number>) => Array.from(values, (value) => Math.round(value * 1e6) / 1e6 + 0);

/** The first rows of a table. */
function head(whole: Table, rows: number): Table {
  return { ...whole, values: whole.values.map((column) => column.subarray(0, rows)), rows };
}

Deno.test("a window belongs to the part that holds all it forecasts; its inputs may reach back", () => {
  const data = table({ a: count(10) }), pipeline = ForecastPipeline.fit(data, { ...plain, horizon: 2 }, [0, 5]);
  const { x, shape, targets, truth, rows, levels } = pipeline.dataset(data, [4, 8]);
  assert.deepEqual([shape, [...rows]], [[3, 3, 1], [4, 5, 6]]);
  assert.deepEqual([...x], [1, 2, 3, 2, 3, 4, 3, 4, 5]);
  assert.deepEqual([[...targets], [...truth]], [[4, 5, 5, 6, 6, 7], [4, 5, 5, 6, 6, 7]]);
  assert.deepEqual([...levels], [3, 4, 5]);
  assert.deepEqual([...pipeline.dataset(data, [0, 5]).rows], [3]);
  assert.deepEqual([...pipeline.dataset(data).rows], [3, 4, 5, 6, 7, 8]);
  assert.deepEqual([pipeline.task, pipeline.loss, pipeline.inputSize, pipeline.outputSize], ["forecast", "mse", 1, 2]);
  assert.deepEqual(pipeline.labels, ["a +1", "a +2"]);
});

Deno.test("several columns go in and several come out, all targets of one row before those of the next", () => {
  const data = table({ a: count(6), b: count(6, 10), c: count(6, 20) });
  const options = { targetColumns: ["c", "a"], featureColumns: ["b", "c"], window: 2, horizon: 2, standardize: false };
  const pipeline = ForecastPipeline.fit(data, options);
  const { x, shape, targets, levels } = pipeline.dataset(data, [4, 6]);
  assert.deepEqual([shape, [...x]], [[1, 2, 2], [12, 22, 13, 23]]);
  assert.deepEqual([[...targets], [...levels]], [[24, 4, 25, 5], [23, 3]]);
  assert.deepEqual(pipeline.labels, ["c +1", "a +1", "c +2", "a +2"]);
  assert.deepEqual(pipeline.channelNames, ["b", "c"]);
  // Of the features only targets are centred: what another column stands for may lie in its level.
  const centred = ForecastPipeline.fit(data, { ...options, center: true }).dataset(data, [4, 6]);
  assert.deepEqual([[...centred.x], [...centred.targets]], [[12, -1, 13, 0], [1, 1, 2, 2]]);
});

Deno.test("differences and changes of the logarithm are undone from the last known value on", () => {
  const data = table({ a: [1, 2, 4, 7, 11, 16, 22] });
  const difference = ForecastPipeline.fit(data, { ...plain, horizon: 2, transform: "difference" });
  const windows = difference.dataset(data, [5, 7]);
  assert.deepEqual([[...windows.x], [...windows.targets], [...windows.truth]], [[2, 3, 4], [5, 6], [16, 22]]);
  assert.deepEqual([...difference.decode([10, 1], windows)], [21, 22]);
  assert.equal(difference.reach, 4);
  const log = ForecastPipeline.fit(table({ a: count(7).map((n) => 2 ** n) }), { ...plain, transform: "logDifference" });
  const doubling = log.dataset(table({ a: count(7).map((n) => 2 ** n) }), [6, 7]);
  assert.deepEqual(round(doubling.x), round([Math.LN2, Math.LN2, Math.LN2]));
  assert.deepEqual(round(log.decode([Math.log(3)], doubling)), [96]); // 32 · 3
});

Deno.test("a difference looks back one row, so that the first row is no input", () => {
  const data = table({ a: [1, 2, 4, 7, 11, 16] });
  const pipeline = ForecastPipeline.fit(data, { ...plain, transform: "difference" });
  assert.deepEqual([...pipeline.dataset(data).rows], [4, 5]);
  assert.deepEqual([...pipeline.inputs(data).x], [3, 4, 5]);
});

for (const transform of ["none", "difference", "logDifference"] as const) {
  for (const center of [false, true]) {
    Deno.test(`targets decode to the truth, and the last rows are a window like others: ${transform}, center ${center}`, () => {
      const data = table({ a: count(30).map((n) => 50 + n + 20 * Math.sin(n)), b: count(30).map(Math.cos) });
      const options = { targetColumns: ["a"], featureColumns: ["b", "a"], window: 4, horizon: 3, transform, center };
      const pipeline = ForecastPipeline.fit(data, options, [0, 20]);
      const test = pipeline.dataset(data, [20, 30]), O = pipeline.outputSize;
      test.rows.forEach((row, i) => {
        const decoded = pipeline.decode(test.targets.subarray(i * O, (i + 1) * O), test, i);
        decoded.forEach((value, h) => {
          const truth = test.truth[i * O + h]!;
          assert.equal(truth, data.values[0]![row + h]);
          assert.ok(Math.abs(value - truth) < 1e-4, `${value} is not ${truth}`);
        });
        const last = pipeline.inputs(head(data, row));
        assert.deepEqual([...last.x], [...test.x.subarray(i * 8, (i + 1) * 8)]);
        assert.deepEqual([[...last.levels], [...last.centers]], [[test.levels[i]], [test.centers[i]]]);
        assert.deepEqual([...last.rows], [row]);
      });
      const copy = ForecastPipeline.from(throughJson(pipeline));
      assert.deepEqual([copy.dataset(data), copy.toJSON()], [pipeline.dataset(data), pipeline.toJSON()]);
    });
  }
}

Deno.test("nothing after the training rows is known to the pipeline, and no window sees what it forecasts", () => {
  const values = count(20).map((n) => n + Math.sin(n)), future = values.map((value, n) => n < 12 ? value : value * 1e3);
  for (const missing of ["error", "mean", "last"] as const) {
    for (const transform of ["none", "difference"] as const) {
      const options: ForecastOptions = { targetColumns: ["a"], window: 3, horizon: 2, transform, missing };
      const fit = (a: number[]) => ForecastPipeline.fit(table({ a }), options, [0, 12]);
      assert.deepEqual(fit(values).toJSON(), fit(future).toJSON());
      const pipeline = fit(values), before = pipeline.dataset(table({ a: values }), [11, 13]);
      assert.deepEqual(before.x, pipeline.dataset(table({ a: future }), [11, 13]).x);
    }
  }
});

Deno.test("missing values: an error with its place, windows left out, or numbers going in that never count as truth", () => {
  const data = table({ a: [1, 2, NaN, 4, 5, 6, 7, 8] }, { place: (row) => `t.csv, line ${row + 2}` });
  const dataset = (missing: ForecastOptions["missing"], rows: RowRange = [0, 8]) =>
    ForecastPipeline.fit(data, { ...plain, window: 2, missing }, [0, 8]).dataset(data, rows);
  assert.throws(
    () => dataset("error"),
    /^RangeError: Cannot prepare data: a value is missing at t\.csv, line 4, column "a": choose missing "drop"/,
  );
  assert.deepEqual([...dataset("drop").rows], [5, 6, 7]);
  const inputs = (missing: ForecastOptions["missing"]) => {
    const { rows, x } = dataset(missing);
    assert.deepEqual([...rows], [3, 4, 5, 6, 7]); // not 2, which is missing
    return [...x.subarray(0, 4)];
  };
  assert.deepEqual(inputs("zero"), [2, 0, 0, 4]);
  assert.deepEqual(inputs("last"), [2, 2, 2, 4]);
  assert.deepEqual(inputs("mean"), [2, Math.fround(33 / 7), Math.fround(33 / 7), 4]);
  assert.throws(() => dataset("drop", [3, 5]), /every window in rows 4 to 5 has missing values/);
  // A gap that no window touches is nobody's trouble.
  const late = ForecastPipeline.fit(data, { ...plain, window: 2 }, [5, 8]);
  assert.deepEqual([...late.dataset(data, [5, 8]).x], [4, 5, 5, 6, 6, 7]);
});

Deno.test("persistence repeats the last value, a seasonal forecast the last season that was known", () => {
  const data = table({ a: count(12), b: count(12, 100) });
  const options = { targetColumns: ["a", "b"], window: 2, horizon: 3, center: true, transform: "difference" as const };
  const pipeline = ForecastPipeline.fit(data, options), test = pipeline.dataset(data, [8, 12]);
  assert.deepEqual([...test.rows], [8, 9]);
  assert.deepEqual([...pipeline.persistence(test)], [7, 107, 7, 107, 7, 107, 8, 108, 8, 108, 8, 108]);
  // Two rows a season: rows 8, 9, 10 are as rows 6, 7 and again 6, since 8 is not known yet.
  assert.deepEqual([...pipeline.seasonal(data, test, 2)], [6, 106, 7, 107, 6, 106, 7, 107, 8, 108, 7, 107]);
  assert.throws(() => pipeline.seasonal(data, test, 9), /column "a" has no value 9 rows before table\.csv, row 9/);
  assert.throws(() => pipeline.seasonal(data, test, 0), /period must be an integer from 1, got 0/);
});

Deno.test("bad tables and options are refused", () => {
  const data = table({ a: count(10), b: count(10) }, { texts: new Map([["date", []]]) });
  const refused = (options: Partial<ForecastOptions>, message: RegExp, rows?: RowRange, from = data) =>
    assert.throws(() => ForecastPipeline.fit(from, { ...plain, ...options }, rows), message);
  refused(
    { targetColumns: ["c"] },
    /^RangeError: .*table\.csv: column "c" does not exist; columns of numbers: "a", "b"/,
  );
  refused({ targetColumns: ["date"] }, /column "date" holds no numbers/);
  refused({ targetColumns: [] }, /targetColumns must be nonempty strings/);
  refused({ featureColumns: ["a", "a"] }, /featureColumns must be distinct names, got a, a/);
  refused({ window: 0 }, /^RangeError: .*window must be an integer from 1/);
  refused({ window: 9, horizon: 2 }, /rows 1 to 10 hold no window: each needs 9 input rows before the 2 to forecast/);
  refused({}, /a part must lie in rows 0 to 10, got 4 to 11/, [4, 11]);
  refused({}, /a part must lie in rows 0 to 10, got 4 to 4/, [4, 4]);
  refused({ transform: "logDifference" }, /table\.csv, row 1, column "a": "logDifference" needs values above 0, got 0/);
  refused({ transform: "log" as "none" }, /transform must be one of none, difference, logDifference, got "log"/);
  refused({ standardize: true }, /column "a" has values too large/, undefined, table({ a: [1, 2, 1e308, -1e308, 5] }));
  refused({}, /table\.csv, row 3, column "a" is too large, got 1e\+300/, undefined, table({ a: [1, 2, 1e300, 4, 5] }));
  refused({ missing: "mean" }, /column "a" has no value in rows 1 to 5/, undefined, table({ a: Array(5).fill(NaN) }));
  const pipeline = ForecastPipeline.fit(data, plain);
  assert.throws(() => pipeline.inputs(head(data, 2)), /a forecast needs 3 rows, got 2/);
  assert.throws(
    () => pipeline.inputs(table({ a: [1, 2, NaN] })),
    /a value is missing at table\.csv, row 3, column "a"/,
  );
  assert.throws(() => pipeline.decode([1, 2], pipeline.inputs(data)), /there must be 1, got 2/);
});

Deno.test("a small movement on a large level reaches the model, and is told of where it cannot", () => {
  const values = Array.from({ length: 12 }, (_, i) => 4491945 + (i % 4) / 50), data = table({ level: values });
  const options = { targetColumns: ["level"], window: 2, standardize: false };
  assert.match(ForecastPipeline.fit(data, options).notes[0]!, /^column "level" moves by 0\.0224 around 4491945/);
  const centered = ForecastPipeline.fit(data, { ...options, center: true });
  assert.deepEqual(centered.notes, []);
  const { targets } = centered.dataset(data);
  targets.forEach((value, n) => assert.ok(Math.abs(value - (values[n + 2]! - values[n + 1]!)) < 1e-8));
});

Deno.test("windows that reach across a break are left out and counted, and a forecast across one says so", () => {
  const data = table({ a: count(12) }, { breaks: [5], stepsOf: () => 4 });
  const pipeline = ForecastPipeline.fit(data, { ...plain, window: 2, missing: "zero" });
  const { rows, leftOut } = pipeline.dataset(data);
  assert.deepEqual([[...rows], leftOut], [[2, 3, 4, 7, 8, 9, 10, 11], { breaks: 2, missing: 0 }]);
  // A difference reaches one row further back.
  const steps = ForecastPipeline.fit(data, { ...plain, window: 2, transform: "difference" });
  assert.deepEqual([...steps.dataset(data).rows], [3, 4, 8, 9, 10, 11]);
  const holes = table({ a: [0, 1, 2, 3, 4, 5, 6, 7, NaN, 9, 10, 11] }, { breaks: [5] });
  assert.deepEqual(pipeline.dataset(holes).leftOut, { breaks: 2, missing: 1 });
  assert.equal(pipeline.inputs(data).notes, undefined);
  const note = "the 2 rows before the forecast reach across a break of the time at table.csv, row 6 (4 steps)";
  assert.deepEqual(pipeline.inputs(head(data, 6)).notes, [note]);
  assert.equal(pipeline.inputs(head(data, 5)).notes, undefined);
  assert.throws(() => pipeline.dataset(data, [5, 6]), /every window in rows 6 to 6 reaches across a break of the time/);
});
