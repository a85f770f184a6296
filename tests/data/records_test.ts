/** Records in columns are what they were made of, and become the same numbers. */

import assert from "node:assert/strict";
import fc from "npm:fast-check@4.10.2";
import { Columns, type Records, select } from "../../core/data/records.ts";
import { NumberStore, PackedNumbers } from "../../core/data/packed.ts";
import { countShared } from "../../core/data/overlap.ts";
import { divideRecords } from "../../core/data/division.ts";
import { defer, isDeferred } from "../../core/data/dataset.ts";
import { stepNetwork } from "../../core/job/step_network.ts";
import {
  createModel,
  DataLoader,
  evaluate,
  hashDataset,
  type Network,
  Pipeline,
  sampleDataset,
  type SequenceRecord,
  subset,
  train,
} from "../../mod.ts";

function columnsOf(records: readonly SequenceRecord[]): Columns {
  const columns = Columns.empty();
  for (const record of records) columns.push(record);
  return columns;
}

/** All fields of a record that are there. */
function plain(record: SequenceRecord | undefined): object {
  const { values, text, steps, channels, labels, weight, id, place, missing, group, rows } = record!;
  const fields = {
    values: values && [...values],
    text,
    steps,
    channels,
    labels,
    weight,
    id,
    place,
    missing,
    group,
    rows,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** Numbers as files hold them. */
const numbers = fc.oneof(
  fc.double({ noDefaultInfinity: true }),
  fc.integer(),
  fc.integer({ min: -200, max: 200 }).map((n) => n / 100),
  fc.float({ noDefaultInfinity: true }),
  fc.constantFrom(
    NaN,
    0,
    -0,
    127,
    -128,
    32767,
    32768,
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
    0.1,
    1e-9,
    1e-10,
    1e22,
    5e-324,
  ),
);

Deno.test("packed numbers are given back to the bit", () => {
  fc.assert(
    fc.property(fc.array(numbers, { maxLength: 30 }), (list) => {
      const values = Float64Array.from(list), packed = new PackedNumbers(values);
      assert.deepEqual(packed.slice(0, list.length), values);
      assert.deepEqual(packed.slice(1, Math.max(1, list.length - 1)), values.slice(1, Math.max(1, list.length - 1)));
    }),
    { numRuns: 2000, seed: 1 },
  );
});

Deno.test("packed numbers of one store do not touch one another", () => {
  fc.assert(
    fc.property(fc.array(fc.array(numbers, { maxLength: 9000 }), { maxLength: 20, size: "max" }), (lists) => {
      const store = new NumberStore(), all = lists.map((list) => new PackedNumbers(Float64Array.from(list), store));
      for (const [i, list] of lists.entries()) assert.deepEqual([...all[i]!.slice(0, list.length)], list);
    }),
    { numRuns: 20, seed: 4 },
  );
});

const single = fc.array(
  fc.record({
    values: fc.array(numbers, { minLength: 1, maxLength: 6 }).map((list) => Float64Array.from(list)),
    labels: fc.constantFrom(undefined, ["a"], ["b"], ["1.0"], ["a", "b"], ['["a","b"]'], []),
    weight: fc.constantFrom(undefined, 0.1, 2),
    id: fc.constantFrom(undefined, "x", "y\n\u0000", "é"),
    place: fc.oneof(
      fc.nat().map((n) => `x.csv, line ${n}`),
      fc.constantFrom("a", "", "7", "x.csv, line 007", "x.csv, line 12a", "y 12345678901234567890"),
    ),
    missing: fc.constantFrom(undefined, "line 1, column a"),
    group: fc.constantFrom(undefined, "g"),
    rows: fc.constantFrom(undefined, [3, 5] as const),
  }).map((record): SequenceRecord => ({ ...record, steps: record.values.length, channels: 1 })),
  { minLength: 1, maxLength: 12 },
);

/** Some with names for all, which may end with numbers. */
const names = fc.oneof(
  fc.nat().map((n) => `s${n}`),
  fc.constantFrom("s1", "s01", "7", "", "a", "s", "s12345678901234567"),
);
const named = fc.infiniteStream(names);
const records = fc.oneof(
  single,
  fc.tuple(single, named).map(([list, ids]) => list.map((record) => ({ ...record, id: ids.next().value! }))),
  fc.tuple(single, fc.nat()).map(([list, first]) => list.map((record, i) => ({ ...record, id: `s${first + i}` }))),
);

Deno.test("names that end with numbers are kept as numbers", () => {
  const { stringify } = JSON;
  let texts = 0;
  JSON.stringify = ((value: unknown) => {
    texts += Array.isArray(value) ? value.length : 0;
    return stringify(value);
  }) as typeof stringify;
  try {
    const list = Array.from(
      { length: 5000 },
      (_, i) => ({ values: Float64Array.of(1), steps: 1, channels: 1, id: `s${3 * i}`, place: `x.csv, line ${9 * i}` }),
    );
    const columns = columnsOf(list);
    assert.deepEqual([columns.at(4097)!.id, columns.at(4999)!.id], ["s12291", "s14997"]);
  } finally {
    JSON.stringify = stringify;
  }
  assert.equal(texts, 0);
});

Deno.test("columns give back their records: one by one, in order, and some of them", () => {
  fc.assert(
    fc.property(records, fc.infiniteStream(fc.nat()), (list, stream) => {
      const columns = columnsOf(list), rows = Uint32Array.from(list, () => stream.next().value! % list.length);
      assert.equal(columns.length, list.length);
      assert.deepEqual([...columns].map(plain), list.map(plain));
      assert.deepEqual(list.map((_, i) => plain(columns.at(i))), list.map(plain));
      const some = columns.select(rows).select(rows), own = Array.from(rows, (row) => list[rows[row]!]!);
      assert.deepEqual([...some].map(plain), own.map(plain));
      assert.equal(columns.at(list.length), undefined);
    }),
    { numRuns: 500, seed: 2 },
  );
});

Deno.test("columns hold blocks of any number of records, long ones, texts, and what is more than columns hold", () => {
  const list: SequenceRecord[] = Array.from({ length: 5000 }, (_, i) => ({
    values: Float64Array.from({ length: i % 1000 === 7 ? 70_000 : 1 + i % 3 }, (_, t) => t / 10),
    steps: i % 1000 === 7 ? 70_000 : 1 + i % 3,
    channels: 1,
    labels: [`label ${i}`],
    place: `x.csv, line ${i + 2 + (i > 3000 ? 1 : 0)}`,
  }));
  for (let i = 0; i < 10; i++) list.push({ text: `text ${i}`, steps: 0, channels: 0, place: `t ${i}` });
  const odd = { values: Float64Array.of(1), steps: 1, channels: 1, place: "odd", more: 1 } as SequenceRecord;
  list.push(odd);
  const columns = columnsOf(list);
  assert.deepEqual([...columns].map(plain), list.map(plain));
  for (const i of [0, 7, 2047, 2048, 4999, 5009]) assert.deepEqual(plain(columns.at(i)), plain(list[i]));
  assert.equal(columns.at(5010), odd);
});

/** Sequences of three channels about 1e9, classes that are numbers in several spellings, weights, some values missing. */
function sample(count: number, steps: (i: number) => number): SequenceRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const values = Float64Array.from(
      { length: 3 * steps(i) },
      (_, t) => Number((1e9 + Math.sin(i * 31 + t) * 5).toFixed(3)),
    );
    if (i % 5 === 3) values[i % values.length] = NaN;
    const labels = [["1", "1.0", "02", "3"][i % 4]!];
    return { values, steps: steps(i), channels: 3, labels, weight: 1 + i % 2, place: `x.csv, line ${i + 1}` };
  });
}

Deno.test("a pipeline makes the same of columns as of a list", () => {
  const list = sample(300, (i) => 2 + i % 7), columns = columnsOf(list), division = { testSplit: 0.3, stratify: true };
  for (
    const options of [{ missing: "mean" }, { missing: "drop" }, { missing: "last", patch: 2, maxLength: 2 }] as const
  ) {
    const [a, b] = [list, columns].map((records: Records) => {
      const [{ train, test }] = divideRecords({ name: "x", records, files: [] }, division, 3) as [
        { train: Records; test: Records },
      ];
      const pipeline = Pipeline.fit(train, options);
      return [
        pipeline.toJSON(),
        pipeline.guesses,
        pipeline.dataset(train),
        pipeline.dataset(test),
        pipeline.parts(test),
      ];
    });
    assert.deepEqual(b, a);
  }
});

Deno.test("bad records are refused alike", () => {
  const at = (i: number, change: Partial<SequenceRecord>) =>
    sample(30, () => 2).map((record, k) => ({
      ...record,
      values: record.values!.map((v) => v || 0),
      ...k === i ? change : {},
    }));
  const cases: [Partial<SequenceRecord>, RegExp][] = [
    [{ labels: undefined }, /line 8: the label is missing/],
    [{ labels: ["9"] }, /line 8: the label "9" was never seen/],
    [{ channels: 2 }, /line 8: there must be 3 channels, got 2/],
    [{ values: new Float64Array(6).fill(1e300) }, /line 8: step 1, channel 1 is too large/],
    [{ values: new Float64Array(6).fill(NaN) }, /a value is missing at x.csv, line 8/],
    [{ steps: 3 }, /line 8: 3 steps of 3 numbers must be 9, got 6/],
  ];
  const pipeline = Pipeline.fit(at(7, {}));
  for (const [change, says] of cases) {
    assert.throws(() => pipeline.dataset(at(7, change)), says);
    assert.throws(() => pipeline.dataset(columnsOf(at(7, change))), says);
  }
});

Deno.test("many numbers go from columns to batches: the same batches, the same hash, no array of all", async () => {
  // As many as are no longer made at once, with little to read: 90 sequences padded to one of 70,000 steps.
  const list = sample(90, (i) => i === 40 ? 70_000 : 1 + i % 4),
    columns = columnsOf(list),
    options = { missing: "mean" } as const;
  const dataset = Pipeline.fit(columns, options).dataset(columns), all = Pipeline.fit(list, options).dataset(list);
  assert.equal(typeof Object.getOwnPropertyDescriptor(dataset, "x")!.get, "function");
  assert.equal(await hashDataset(dataset), await hashDataset(all));
  const [own, others] = [dataset, all].map((
    data,
  ) => [...new DataLoader(data, { batchSize: 7, shuffle: true, seed: 2 })]);
  assert.deepEqual(own, others);
  assert.deepEqual(subset(dataset, [40, 3], 10), subset(all, [40, 3], 10));
  assert.deepEqual([countShared(dataset, all), countShared(subset(all, [3, 40]), dataset)], [90, 2]);
  assert.equal(typeof Object.getOwnPropertyDescriptor(dataset, "x")!.get, "function", "nobody needed all of them");
  assert.deepEqual({ ...dataset }, all);
});

Deno.test("a training and an evaluation make no array of all inputs, of whole sequences or of every step", async () => {
  const { x, shape, targets } = sampleDataset({ size: 40, steps: 4 }), [N, T, I] = shape as [number, number, number];
  const take = (rows: ArrayLike<number>, steps: number, into?: Float32Array) => {
    const made = into ?? new Float32Array(rows.length * steps * I);
    for (let i = 0; i < rows.length; i++) {
      made.set(x.subarray(rows[i]! * T * I, (rows[i]! * T + steps) * I), i * steps * I);
    }
    return made.subarray(0, rows.length * steps * I);
  };
  const everyStep = new Float32Array(N * T * 2).fill(1), own = { inputSize: I, hiddenSize: 3, outputSize: 2 };
  for (
    const [data, config] of [
      [{ shape, targets }, own],
      [{ shape, targets: everyStep, targetsPerStep: true }, stepNetwork(own)],
    ] as const
  ) {
    const results = [];
    for (const dataset of [defer({ ...data }, take), { ...data, x }]) {
      using model = await createModel(config as Network, { seed: 1 });
      const history = await train(model, dataset, { epochs: 2, validation: dataset, loss: "bce" });
      const { loss } = await evaluate(model, dataset);
      results.push([history.map(({ trainLoss, validationLoss }) => [trainLoss, validationLoss]), loss]);
      if (isDeferred(dataset)) {
        assert.equal(typeof Object.getOwnPropertyDescriptor(dataset, "x")!.get, "function");
      }
    }
    assert.deepEqual(results[0], results[1]);
  }
});

Deno.test("select() of a list is a list", () => {
  const list = sample(3, () => 1);
  assert.deepEqual(select(list, [2, 0]), [list[2], list[0]]);
});
