/** Recordings: windows with a label, groups that no split parts, labels in a table of their own. */

import assert from "node:assert/strict";
import { divideRecords } from "../../core/data/division.ts";
import { readLabelsTable } from "../../core/data/readers/labels_table.ts";
import { RecordingWindows, type WindowLabel } from "../../core/data/recordings.ts";
import type { NpyArray } from "../../core/data/readers/npy.ts";
import {
  errorCause,
  errorCode,
  Pipeline,
  type PipelineOptions,
  type ReadOptions,
  readRecords,
  type SequenceRecord,
  writeNpz,
} from "../../mod.ts";
import { input, read } from "./readers/read.ts";

interface Case {
  readonly window: number;
  readonly stride: number;
  readonly windowLabel: WindowLabel;
  readonly windows: readonly {
    readonly id: string;
    readonly group: string;
    readonly rows: readonly number[];
    readonly label: string;
    readonly values: readonly (number | null)[];
  }[];
}

const { csv, cases }: { csv: string; cases: readonly Case[] } = JSON.parse(
  await Deno.readTextFile(new URL("../testdata/recordings.json", import.meta.url)),
);
const LONG = {
  sequenceColumn: "recording",
  timeColumn: "t",
  groupColumn: "person",
  labelColumns: ["activity"],
  labelsPerRow: true,
};

for (const { windows, ...options } of cases) {
  const { window, stride, windowLabel } = options;
  Deno.test(`recordings with a label per row: windows of ${window}, stride ${stride}, ${windowLabel}, as pandas cuts them`, async () => {
    const cutter = new RecordingWindows(options), recordings = await read("rows.csv", csv, LONG);
    const found = recordings.flatMap((recording) => [...cutter.of(recording)]);
    assert.deepEqual(
      found.map(({ id, group, rows, labels, values }) => ({
        id,
        group,
        rows,
        label: labels!.join("|"),
        values: Array.from(values!, (value) => Number.isNaN(value) ? null : value),
      })),
      windows,
    );
    for (const { values, steps, channels, missing } of found) {
      assert.deepEqual([steps, channels], [window, 2]);
      assert.equal(missing !== undefined, values!.some(Number.isNaN));
    }
    assert.match(cutter.notes.join("\n"), /^1 recording left out: shorter than the window/m);
    assert.match(cutter.notes.join("\n"), /^[12] windows? left out: the time breaks within/m);
  });
}

Deno.test("windows are cut of recordings that have one label as well, and need no label for prediction", () => {
  const recording = { values: Float64Array.of(1, 2, 3, 4, 5), steps: 5, channels: 1, id: "a", place: "a.csv, line 2" };
  const cutter = new RecordingWindows({ window: 2 });
  const [first, second, ...rest] = [...cutter.of({ ...recording, labels: ["up"] })];
  assert.deepEqual([first!.labels, second!.labels, rest.length], [["up"], ["up"], 0]);
  assert.equal(second!.place, 'a.csv, line 2, rows 2 to 4 of "a"');
  assert.deepEqual(cutter.notes, ["1 row at the ends of recordings in no window"]);
  assert.deepEqual([...cutter.of(recording)].map(({ labels, group }) => [labels, group]), [[undefined, "a"], [
    undefined,
    "a",
  ]]);
  const amounts = { ...recording, stepLabels: [1, 2, 2.5, 3, 4].map((label) => [String(label)]) };
  assert.throws(() => [...cutter.of(amounts)], /the label 2\.5 is an amount, .*: windowLabel "last" takes that/);
  const last = new RecordingWindows({ window: 2, windowLabel: "last" });
  assert.deepEqual([...last.of(amounts)].map(({ labels }) => labels), [["2"], ["3"]]);
  assert.throws(() => new RecordingWindows({ window: 0 }), { name: "RangeError" });
});

Deno.test("labels that are the same number count as one, and the least of several wins", () => {
  const labels = ["1", "1.0", "2", "2", "10", "10"].map((label) => [label]);
  const recording = { values: new Float64Array(6), steps: 6, channels: 1, place: "a.csv, line 2", stepLabels: labels };
  const of = (options: { window: number; windowLabel?: WindowLabel }) =>
    [...new RecordingWindows(options).of(recording)].map(({ labels }) => labels![0]);
  assert.deepEqual(of({ window: 6 }), ["1"]);
  assert.deepEqual(of({ window: 2, windowLabel: "same" }), ["1", "2", "10"]);
});

Deno.test("a time that nobody named is no channel of recordings with a label per row", async () => {
  const rows = "id,timestamp,x,label\na,1,5,u\na,2,6,v\n", options = { sequenceColumn: "id", labelsPerRow: true };
  await assert.rejects(read("t.csv", rows, options), (error) => errorCode(error) === "column-is-time");
  const [recording] = await read("t.csv", rows, { ...options, timeColumn: "timestamp" });
  assert.deepEqual([recording!.channels, recording!.stepLabels], [1, [["u"], ["v"]]]);
});

/** 12 recordings of 5 windows, of 4 people. */
const RECORDS: readonly SequenceRecord[] = Array.from({ length: 60 }, (_, i) => ({
  values: Float64Array.of(i),
  steps: 1,
  channels: 1,
  labels: [i % 3 ? "a" : "b"],
  group: `p${Math.floor(i / 5) % 4}`,
  place: `rows.csv, line ${i + 2}`,
}));

Deno.test("groups stay in one part: shares, every N-th, folds, validation", () => {
  const data = { name: "rows.csv", records: RECORDS, files: RECORDS.map(() => 0) };
  const groups = (part: readonly SequenceRecord[] = []) => [...new Set(part.map(({ group }) => group))].sort();
  const ways = [{ testSplit: 0.25 }, { testSplit: 0.25, validationSplit: 0.3 }, { testEvery: 2 }, { folds: 4 }, {
    testSplit: 0.01,
  }];
  for (const way of ways) {
    for (const seed of [0, 1, 2]) {
      const divisions = divideRecords(data, { stratify: true, ...way }, seed);
      for (const { train, validation, test } of divisions) {
        const all = [...groups(train), ...groups(validation), ...groups(test)];
        assert.deepEqual(all.sort(), ["p0", "p1", "p2", "p3"], JSON.stringify(way));
        assert.equal(train.length + (validation?.length ?? 0) + test!.length, 60);
      }
      if (way.folds) assert.deepEqual(divisions.flatMap(({ test }) => groups(test)).sort(), groups(RECORDS));
      if (way.testEvery) assert.deepEqual(groups(divisions[0]!.test), ["p0", "p2"]);
    }
  }
  const one = RECORDS.map((record) => ({ ...record, group: "p" }));
  assert.throws(() => divideRecords({ ...data, records: one }, { stratify: true }, 0), (error) => {
    assert.match(String(error), /all 60 sequences are of one group, which no split parts/);
    return errorCode(error) === "too-few-items";
  });
});

Deno.test("groups of one class each are stratified", () => {
  const records = RECORDS.map((record, i) => {
    const person = Math.floor(i / 6);
    return { ...record, group: `p${person}`, labels: [person < 5 ? "a" : "b"] };
  });
  for (const seed of [0, 1, 2, 3, 4, 5]) {
    const [division] = divideRecords({ name: "x", records, files: records.map(() => 0) }, {
      stratify: true,
      testSplit: 0.4,
    }, seed);
    const classes = division!.test!.map(({ labels }) => labels![0]);
    assert.deepEqual([classes.filter((one) => one === "a").length, classes.length], [12, 24]);
  }
});

Deno.test("labels in a table of their own are found by the sequence's name, or its file's", async () => {
  const table = await readLabelsTable(
    input("labels.csv", "file,kind,person\nr1,walk,ann\nr2.csv,run,bob\nr9,sit,cem\n"),
    "file",
    { labelColumns: ["kind"], groupColumn: "person" },
  );
  const record = { values: Float64Array.of(1), steps: 1, channels: 1, place: "x" };
  const said = ["r1", "data/r1.csv", "d.zip/r2.csv", "r2.csv.gz"].map((id) => {
    const { labels, group } = table.labeled({ ...record, id });
    return [labels![0], group];
  });
  assert.deepEqual(said, [["walk", "ann"], ["walk", "ann"], ["run", "bob"], ["run", "bob"]]);
  assert.throws(() => table.labeled({ ...record, id: "r3" }), /labels\.csv: it names no sequence r3/);
  assert.deepEqual(table.notes, ["labels.csv: 1 of 3 rows name no sequence of the data: r9"]);
  const twice = readLabelsTable(input("l.csv", "id,label\na,1\na,2\n"), undefined, {});
  await assert.rejects(twice, /line 3, column id is a again/);
  await assert.rejects(readLabelsTable(input("l.csv", "a,b\n1,2\n"), undefined, {}), /no column is called id/);
});

Deno.test("labels of every step: targets (N, T) that are padded, scores of valid steps alone, kept as JSON", () => {
  const record = (labels: string[], line: number): SequenceRecord => ({
    values: Float64Array.from(labels, (_, t) => t + line),
    steps: labels.length,
    channels: 1,
    stepLabels: labels.map((label) => [label]),
    place: `a.csv, line ${line}`,
  });
  const records = [record(["b", "a", "c"], 2), record(["c"], 5), record(["a", "b"], 6)];
  const fitted = Pipeline.fit(records, { labelEveryStep: true });
  const pipeline = Pipeline.from(JSON.parse(JSON.stringify(fitted)));
  assert.deepEqual([pipeline.labels, pipeline.everyStep, pipeline.task], [["a", "b", "c"], true, "multiclass"]);
  const data = pipeline.dataset(records);
  assert.deepEqual([data.shape, data.targetsPerStep, [...data.lengths!]], [[3, 3, 1], true, [3, 1, 2]]);
  assert.deepEqual([...data.targets], [1, 0, 2, 2, 0, 0, 0, 1, 0]);
  // Right at all steps but one; what stands behind lengths is wrong, and counts nowhere.
  const said = [1, 0, 2, 1, 1, 1, 0, 1, 2], outputs = new Float32Array(27);
  said.forEach((label, i) => outputs[3 * i + label] = 1);
  const metrics = pipeline.score({ shape: [3, 3, 3], data: outputs }, data);
  assert.ok(metrics.kind === "classification");
  assert.deepEqual([metrics.accuracy, metrics.perClass.map(({ support }) => support)], [5 / 6, [2, 2, 2]]);
  const regression = Pipeline.fit([record(["1.5", "2"], 2), record(["3.5"], 4)], { labelEveryStep: true });
  assert.deepEqual([regression.task, regression.dataset([record(["1.5", "2"], 2)]).targets.length], ["regression", 2]);
  const { stepLabels: _, ...bare } = records[0]!;
  assert.throws(() => pipeline.dataset([bare]), /labels of its steps are missing/);
  assert.throws(
    () => pipeline.dataset([{ ...records[0]!, stepLabels: [["a"], undefined, ["b"]] }]),
    /line 2, row 1: the label/,
  );
  assert.throws(() => Pipeline.fit(records, { labelEveryStep: true, patch: 2 }), { name: "TypeError" });
  const windows = new RecordingWindows({ window: 2, labelEveryStep: true });
  assert.deepEqual([...windows.of(records[0]!)].map(({ stepLabels, labels }) => [stepLabels, labels]), [[
    [["b"], ["a"]],
    undefined,
  ]]);
});

Deno.test("an array may have labels of its steps", async () => {
  const x = { shape: [2, 3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, NaN, NaN, NaN, NaN) };
  const y = { shape: [2, 3], data: Float64Array.of(0, 1, 2, 2, NaN, NaN) };
  const read = async (name: string, arrays: Record<string, NpyArray>, options: ReadOptions = {}) => {
    const bytes = await writeNpz(arrays), stream = () => new Blob([bytes]).stream();
    return await Array.fromAsync((await readRecords({ name, stream }, { labelsPerRow: true, ...options })).records);
  };
  const [first, second] = await read("a.npz", { x, y });
  assert.deepEqual([first!.stepLabels, first!.labels], [[["0"], ["1"], ["2"]], undefined]);
  assert.deepEqual([second!.steps, second!.stepLabels], [1, [["2"], undefined, undefined]]);
  const two = { shape: [2, 3, 2], data: Int32Array.from({ length: 12 }, (_, i) => i) };
  const [several] = await read("b.npz", { x, y: two });
  assert.deepEqual(several!.stepLabels, [["0", "1"], ["2", "3"], ["4", "5"]]);
  const turned = { shape: [2, 2, 3], data: Float32Array.from({ length: 12 }, (_, i) => i) };
  const [last] = await read("c.npz", { x: turned, y }, { layout: "nct" });
  assert.deepEqual([last!.steps, last!.stepLabels], [3, [["0"], ["1"], ["2"]]]);
  // As many as channels are not those of steps, nor is a label a sequence.
  assert.deepEqual(
    (await read("d.npz", { x: turned, y: { ...y, data: Int32Array.of(0, 1, 2, 3, 4, 5) } }))[0]!.labels,
    ["0", "1", "2"],
  );
  assert.deepEqual((await read("e.npz", { x, y: { shape: [2], data: Int32Array.of(4, 5) } }))[1]!.labels, ["5"]);
  await assert.rejects(read("f.npz", { x, y: two }, { labelsPerRow: false }), /shape of labels must be .*\[2,3,2\]/);
});

Deno.test("lists of labels that may be those of steps are not taken for several labels in silence", () => {
  const record = (labels: string[], steps: number, text?: string): SequenceRecord => ({
    ...text === undefined
      ? { values: Float64Array.from({ length: steps }, (_, t) => t), channels: 1 }
      : { text, channels: 0 },
    steps,
    labels,
    place: "a.jsonl, line 1",
  });
  const fit = (records: SequenceRecord[], options: PipelineOptions = {}) => Pipeline.fit(records, options);
  const follows = [record(["a", "b"], 2), record(["b", "a", "c"], 3)];
  assert.throws(() => fit(follows), (error) => {
    const { code, option, advice } = errorCause(error)!;
    assert.deepEqual([code, option], ["labels-unclear", "labelEveryStep"]);
    assert.equal(
      advice,
      "labelEveryStep: true if they are those of the steps, false if they are several of the sequence",
    );
    return true;
  });
  assert.equal(fit(follows, { labelEveryStep: false }).task, "multilabel");
  // That is said first, not that all have the same labels.
  assert.throws(() => fit([record(["a", "b"], 2), record(["a", "b", "a"], 3)]), /as many labels as steps/);
  // Of one name twice, even at one length.
  assert.throws(() => fit([record(["a", "b", "a"], 3), record(["a", "b", "c"], 3)]), /as many labels as steps/);
  const numbers = fit([record(["1", "2.5"], 2), record(["2", "4"], 2)]);
  assert.match(numbers.notes[0]!, /^2 labels a sequence, as many as it has steps: .*, labelEveryStep for those/);
  for (
    const none of [
      [record(["1", "2.5"], 3), record(["2", "4"], 3)],
      [record(["1"], 1), record(["2"], 1)],
      [record(["a", "b"], 2), record(["a"], 3)],
    ]
  ) assert.deepEqual(fit(none).notes, []);
  assert.deepEqual(fit([record(["1", "2.5"], 2), record(["2", "4"], 2)], { labelNames: ["p", "q"] }).notes, []);
  const tagged = fit([record(["D", "N"], 0, "the cat"), record(["D", "N", "V"], 0, "a dog ran")], { tokens: "words" });
  assert.match(tagged.notes[0]!, /^every text has as many labels as tokens/);
});
