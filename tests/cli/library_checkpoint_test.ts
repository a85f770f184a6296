/** Checkpoints that a program wrote: the command line reads files as it did, with no flag. */

import assert from "node:assert/strict";
import { dataFiles } from "../../core/cli/data_files.ts";
import { parseCommandLine } from "../../core/cli/arguments.ts";
import { evaluateFiles } from "../../core/job/evaluations.ts";
import { type NamedPrediction, predictions } from "../../core/job/predictions.ts";
import {
  createModel,
  evaluate,
  ForecastPipeline,
  loadCheckpoint,
  Pipeline,
  type PipelineOptions,
  predict,
  type ReadOptions,
  readRecords,
  readTable,
  type RecordingOptions,
  RecordingWindows,
  saveCheckpoint,
  type SequenceRecord,
  writeNpz,
} from "../../mod.ts";

/** Sequences of two channels, each with a class. */
const SEQUENCES = [
  { id: "s1", label: "up", steps: [[1.5, 20], [2.5, 22], [4.5, 19]] },
  { id: "s2", label: "down", steps: [[6.5, 31], [3.5, 27], [2.5, 33]] },
  { id: "s3", label: "up", steps: [[0.5, 28], [1.5, 21], [5.5, 25]] },
];

type Row = { id: string; label: string; t: number; a: number; b: number };

const long = (head: string, row: (row: Row) => string) =>
  [
    ...head ? [head] : [],
    ...SEQUENCES.flatMap(({ id, label, steps }) => steps.map(([a, b], t) => row({ id, label, t, a: a!, b: b! }))),
  ].join("\n") + "\n";
const wide = (head: string, row: (id: string, label: string, values: readonly number[]) => string) =>
  [...head ? [head] : [], ...SEQUENCES.map(({ id, label, steps }) => row(id, label, steps.map(([a]) => a!)))]
    .join("\n") + "\n";
const comma = (n: number) => String(n).replace(".", ",");

const TRAIN = long("id,t,a,b,label", ({ id, t, a, b, label }) => `${id},${t},${a},${b},${label}`);
const LONG: ReadOptions = { sequenceColumn: "id", timeColumn: "t" };

/** What a program trains on, and other files of the same sequences: without labels, or with columns in another order. */
const CASES: readonly {
  readonly name: string;
  readonly options: ReadOptions;
  readonly train: string | Uint8Array;
  readonly others: Readonly<Record<string, string | Uint8Array>>;
  readonly fit?: PipelineOptions;
}[] = [
  {
    name: "long.csv",
    options: LONG,
    train: TRAIN,
    others: {
      "unlabeled.csv": long("t,b,a,id", ({ id, t, a, b }) => `${t},${b},${a},${id}`),
      "extra.csv": long("id,more,t,a,b", ({ id, t, a, b }) => `${id},7,${t},${a},${b}`),
      "tabs.tsv": long("b\tid\tt\ta", ({ id, t, a, b }) => `${b}\t${id}\t${t}\t${a}`),
      "lines.jsonl": SEQUENCES.map(({ id, steps }) => JSON.stringify({ id, x: steps })).join("\n"),
    },
  },
  {
    name: "by number.csv",
    options: { sequenceColumn: 0, timeColumn: 1, labelColumns: [-1] },
    train: TRAIN,
    others: { "turned.csv": long("label,b,a,t,id", ({ id, t, a, b }) => `,${b},${a},${t},${id}`) },
  },
  {
    name: "weighted.csv",
    options: { ...LONG, weightColumn: "w", groupColumn: "who", labelColumns: ["kind"] },
    train: long("id,t,a,b,w,who,kind", ({ id, t, a, b, label }) => `${id},${t},${a},${b},2,p${id},${label}`),
    others: {
      "bare.csv": long("id,t,a,b", ({ id, t, a, b }) => `${id},${t},${a},${b}`),
      "whole.csv": long("who,w,id,t,a,b", ({ id, t, a, b }) => `p1,3,${id},${t},${a},${b}`),
    },
  },
  {
    name: "signs.csv",
    options: { ...LONG, decimal: ",", delimiter: "|", missingValues: ["-200"] },
    train: long("id|t|a|b|label", ({ id, t, a, b, label }) => `${id}|${t}|${comma(a)}|${b}|${label}`),
    others: { "bare.csv": long("id|t|a|b", ({ id, t, a, b }) => `${id}|${t}|${comma(a)}|${b}`) },
  },
  {
    name: "headless.csv",
    options: { header: false, labelColumns: [-1] },
    train: wide("", (_, label, values) => `${values},${label}`),
    others: {
      "bare.csv": wide("", (_, __, values) => `${values}`),
      "same.csv": wide("", (_, label, values) => `${values},${label}`),
    },
  },
  {
    name: "headless-long.csv",
    options: { header: false, sequenceColumn: 2, timeColumn: 1, labelColumns: [0] },
    train: long("", ({ id, t, a, b, label }) => `${label},${t},${id},${a},${b}`),
    others: { "bare.csv": long("", ({ id, t, a, b }) => `${t},${id},${a},${b}`) },
  },
  {
    name: "y-is-a-channel.csv",
    options: { ...LONG, labelColumns: ["kind"] },
    train: long("id,t,x,y,kind", ({ id, t, a, b, label }) => `${id},${t},${a},${b},${label}`),
    others: { "bare.csv": long("id,t,x,y", ({ id, t, a, b }) => `${id},${t},${a},${b}`) },
  },
  {
    name: "wide.tsv",
    options: {},
    train: wide("label\ta1\ta2\ta3", (_, label, values) => `${label}\t${values.join("\t")}`),
    others: { "bare.tsv": wide("a3\ta2\ta1", (_, __, values) => values.toReversed().join("\t")) },
  },
  {
    name: "archive.txt",
    options: {},
    train: wide("", (_, label, values) => `${label === "up" ? 1 : 2}  ${values.join("  ")}`),
    others: { "bare.txt": wide("", (_, __, values) => values.join("  ")) },
  },
  {
    name: "weka.arff",
    options: {},
    train: "@relation r\n@attribute x numeric\n@attribute y numeric\n@attribute z numeric\n" +
      "@attribute kind {up,down}\n@data\n" + wide("", (_, label, values) => `${values},${label}`),
    others: {
      "bare.arff": "@relation r\n@attribute x numeric\n@attribute y numeric\n@attribute z numeric\n@data\n" +
        wide("", (_, __, values) => `${values}`),
    },
  },
  {
    name: "texts.tsv",
    options: { textColumn: "what", labelColumns: ["kind"], quote: "none" },
    train: 'id\twhat\tkind\n1\tone "two\tup\n2\ttwo three\tdown\n3\tone one\tup\n',
    others: { "bare.tsv": 'what\tid\none "two\t1\ntwo three\t2\none one\t3\n' },
    fit: { tokens: "words" },
  },
  {
    name: "latin.txt",
    options: { encoding: "latin1", labelColumns: [0] },
    train: Uint8Array.from("up\tcaf\u00e9 noir\ndown\tth\u00e9\nup\tcaf\u00e9\n", (c) => c.charCodeAt(0)),
    others: { "bare.txt": Uint8Array.from("caf\u00e9 noir\nth\u00e9\ncaf\u00e9\n", (c) => c.charCodeAt(0)) },
    fit: { tokens: "words" },
  },
  {
    name: "arrays.npz",
    options: { xKey: "signal", yKey: "kind", layout: "nct" },
    train: await writeNpz({
      signal: { shape: [3, 2, 3], data: Float64Array.from(SEQUENCES.flatMap(turned)) },
      kind: { shape: [3], data: Int32Array.of(1, 0, 1) },
    }),
    others: {
      "bare.npz": await writeNpz({
        other: { shape: [1], data: Int32Array.of(3) },
        signal: { shape: [3, 2, 3], data: Float64Array.from(SEQUENCES.flatMap(turned)) },
      }),
    },
  },
];

function turned({ steps }: typeof SEQUENCES[number]): number[] {
  return [0, 1].flatMap((c) => steps.map((step) => step[c]!));
}

const inputOf = (name: string, content: string | Uint8Array) => ({
  name,
  stream: () => new Blob([content as BlobPart]).stream(),
});

/** A checkpoint, and the command line's answers to a file, with no flag but these. */
async function withCheckpoint(
  save: (path: string) => Promise<void>,
  run: (answer: (name: string, content: string | Uint8Array, flags?: string) => Promise<NamedPrediction[]>) => Promise<
    void
  >,
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "grutto-" }), path = `${folder}/model.json`;
  try {
    await save(path);
    await run(async (name, content, flags) => {
      const file = `${folder}/${name}`, notes: string[] = [];
      Deno.writeFileSync(file, typeof content === "string" ? new TextEncoder().encode(content) : content);
      const args = parseCommandLine(["predict", path, ...flags?.split(" ") ?? [], "--input", file]);
      const loaded = await loadCheckpoint(path), source = dataFiles(args), { given } = args;
      using _ = loaded.model;
      const onNote = (note: string) => void notes.push(note);
      const said = await Array.fromAsync(predictions({ loaded, paths: [file], given, source, onNote }));
      for (const one of said) if ("error" in one) throw one.error;
      return said as NamedPrediction[];
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** The pipeline of some records, and a model of random weights. */
async function fitted(records: readonly SequenceRecord[], options: PipelineOptions, seed = 3) {
  const pipeline = Pipeline.fit(records, options),
    { inputSize, outputSize, numEmbeddings, paddingIdx, loss } = pipeline;
  const tokens = numEmbeddings ? { numEmbeddings, paddingIdx } : {};
  return { pipeline, model: await createModel({ inputSize, outputSize, hiddenSize: 3, loss, ...tokens }, { seed }) };
}

Deno.test("predict reads a file as the program did that wrote the checkpoint, whatever options it gave", async () => {
  const kept = new Set<string>();
  for (const { name, options, train, others, fit } of CASES) {
    const source = await readRecords(inputOf(name, train), options), records = await Array.fromAsync(source.records);
    const { labelNames, channelNames, stepNames, reading } = source;
    const made = await fitted(records, { labelNames, channelNames, stepNames, reading, ...fit });
    for (const option of Object.keys(JSON.parse(JSON.stringify(reading)))) kept.add(option);
    using model = made.model;
    const { pipeline } = made, { outputs } = await predict(model, pipeline.sequences(records));
    const O = pipeline.outputSize;
    const wanted = records.map((_, i) => pipeline.decode(outputs.data.subarray(i * O, (i + 1) * O)).probabilities);
    await withCheckpoint(
      (path) => saveCheckpoint(path, { model, preprocessing: pipeline.toJSON() }),
      async (answer) => {
        for (const [other, content] of Object.entries({ [name]: train, ...others })) {
          const said = await answer(other, content).catch((error) => assert.fail(`${name}, ${other}: ${error}`));
          assert.deepEqual(said.map(({ decoded }) => decoded.probabilities), wanted, `${name}, ${other}`);
        }
      },
    );
  }
  // Options of groups of rows are below; featureColumns matter without a header alone, and have no case of their own here.
  assert.deepEqual([...kept].sort(), [
    "columnCount",
    "decimal",
    "delimiter",
    "encoding",
    "format",
    "groupColumn",
    "header",
    "labelColumns",
    "layout",
    "missingValues",
    "quote",
    "sequenceColumn",
    "textColumn",
    "timeColumn",
    "weightColumn",
    "xKey",
    "yKey",
  ]);
});

Deno.test("a column that a file lacks is named with the flag that says which one it is there", async () => {
  const source = await readRecords(inputOf("long.csv", TRAIN), LONG), records = await Array.fromAsync(source.records);
  const { labelNames, channelNames, reading } = source;
  const { pipeline, model } = await fitted(records, { labelNames, channelNames, reading });
  using _ = model;
  await withCheckpoint((path) => saveCheckpoint(path, { model, preprocessing: pipeline.toJSON() }), async (answer) => {
    const renamed = long("key,t,a,b", ({ id, t, a, b }) => `${id},${t},${a},${b}`);
    await assert.rejects(
      answer("renamed.csv", renamed),
      /no column id, only key, t, a, b: the training data have it; --sequence-column says which one it is here/,
    );
    const said = await answer("again.csv", renamed, "--sequence-column key");
    assert.deepEqual(said.map(({ id }) => id), ["s1", "s2", "s3"]);
  });
});

Deno.test("recordings are cut into windows as the program cut them", async () => {
  const rows = Array.from({ length: 24 }, (_, i) => `r${Math.floor(i / 12)},${i},${i * 7 % 5}.5,${"uudddu"[i % 6]}`);
  const csv = ["who,at,a,kind", ...rows].join("\n"), unlabeled = csv.replaceAll(/,[^,\n]*$/gm, "");
  const options: ReadOptions = { sequenceColumn: "who", timeColumn: "at", labelColumns: ["kind"], labelsPerRow: true };
  const cut: RecordingOptions = { window: 4, stride: 2, windowLabel: "last" };
  const source = await readRecords(inputOf("recordings.csv", csv), options), windows = new RecordingWindows(cut);
  const records: SequenceRecord[] = [];
  for await (const recording of source.records) records.push(...windows.of(recording));
  const { labelNames, channelNames, reading } = source, names = { labelNames, channelNames, reading };
  for (const [given, stride] of [[windows.options, 2], [undefined, 4]] as const) {
    const { pipeline, model } = await fitted(records, { ...names, windows: given });
    using _ = model;
    assert.deepEqual(Pipeline.from(JSON.parse(JSON.stringify(pipeline))).windows, given ?? { window: 4 });
    const wanted = records.filter((record) => record.rows![0] % stride === 0);
    const { outputs } = await predict(model, pipeline.sequences(wanted));
    const save = (path: string) => saveCheckpoint(path, { model, preprocessing: pipeline.toJSON() });
    await withCheckpoint(save, async (answer) => {
      const said = await answer("bare.csv", unlabeled);
      assert.deepEqual(said.map(({ id, rows }) => [id, rows]), wanted.map(({ id, rows }) => [id, rows]));
      assert.deepEqual(
        said.map(({ decoded }) => decoded.probabilities),
        wanted.map((_, i) => pipeline.decode(outputs.data.subarray(2 * i, 2 * i + 2)).probabilities),
      );
    });
    if (!given) continue;
    const folder = Deno.makeTempDirSync({ prefix: "grutto-" });
    try {
      await save(`${folder}/m.json`);
      Deno.writeTextFileSync(`${folder}/recordings.csv`, csv);
      const args = parseCommandLine(["evaluate", `${folder}/m.json`, `${folder}/recordings.csv`]);
      const loaded = await loadCheckpoint(`${folder}/m.json`);
      using _ = loaded.model;
      const { scores } = await evaluateFiles(loaded, [`${folder}/recordings.csv`], args.given, dataFiles(args));
      const { loss } = await evaluate(model, pipeline.dataset(records));
      assert.ok(Math.abs(scores.values.loss! - loss) < 1e-6, `${scores.values.loss}, ${loss}`);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  }
});

Deno.test("a table of series is read as the program read it", async () => {
  const values = Array.from({ length: 12 }, (_, i) => (i * 7 % 5) + 0.5);
  const train = ["when;sales", ...values.map((v, i) => `${100 + i};${comma(v)}`)].join("\n");
  const other = ["sales;more;when", ...values.map((v, i) => `${comma(v)};3;${100 + i}`)].join("\n");
  const table = await readTable(inputOf("sales.csv", train), {
    timeColumn: "when",
    decimal: ",",
    missingValues: ["-1"],
  });
  const pipeline = ForecastPipeline.fit(table, { targetColumns: ["sales"], window: 3 });
  assert.deepEqual(pipeline.reading, { format: "csv", decimal: ",", missingValues: ["-1"], timeColumn: "when" });
  assert.deepEqual(ForecastPipeline.from(JSON.parse(JSON.stringify(pipeline))).reading, pipeline.reading);
  using model = await createModel({ inputSize: 1, outputSize: 1, hiddenSize: 3, loss: "mse" }, { seed: 3 });
  const inputs = pipeline.inputs(table), { outputs } = await predict(model, inputs);
  const save = (path: string) => saveCheckpoint(path, { model, preprocessing: pipeline.toJSON() });
  await withCheckpoint(save, async (answer) => {
    for (const [name, content] of [["sales.csv", train], ["other.csv", other]] as const) {
      const [said] = await answer(name, content);
      assert.deepEqual(said!.decoded.values, [...pipeline.values(outputs.data, inputs)], name);
    }
    // The time, which is a column of numbers here, runs backwards.
    const reversed = ["when;sales", ...values.map((v, i) => `${100 - i};${comma(v)}`)].join("\n");
    const marked = ["when;sales", ...values.map((v, i) => `${100 + i};${i === 11 ? "-1" : comma(v)}`)].join("\n");
    await assert.rejects(answer("marked.csv", marked), /a value is missing|no value|missing/);
    const [said] = await answer("reversed.csv", reversed),
      [sorted] = await answer(
        "sorted.csv",
        ["when;sales", ...values.map((_, i) => `${100 + i};${comma(values.at(-1 - i)!)}`)].join("\n"),
      );
    assert.deepEqual(said!.decoded.values, sorted!.decoded.values);
  });
});
