/**
 * Holds what pipelines prepare against what PyTorch's side of the reference tasks prepares: every sequence, length and
 * target of all ten tasks.
 *
 *     deno run -A scripts/preprocessing.ts DATA PYTHON
 *
 * DATA holds classification/, text/, forecast/ and reference/; PYTHON has numpy and torch. Inputs and targets must agree to
 * 1e-6 of their size (float64 sums are added up in another order there), tokens, classes and lengths exactly.
 *
 * @module
 */

import {
  everyNth,
  type ForecastOptions,
  ForecastPipeline,
  Pipeline,
  type PipelineOptions,
  type RowRange,
  type SequenceRecord,
  type Table,
} from "../mod.ts";

/** Inputs and targets as arrays without padding. */
interface Part {
  readonly x: ArrayLike<number>;
  readonly lengths: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}

type Prepared = { readonly train: Part; readonly test: Part; readonly vocab: number };

const [data, python] = Deno.args;
if (!data || !python) throw new TypeError("Give the folder of the data, and a Python with numpy and torch");

const lines = (path: string) =>
  Deno.readTextFileSync(`${data}/${path}`).split("\n").map((line) => line.replace(/\r$/, ""));

function record(columns: readonly (readonly string[])[], label: string, place: string): SequenceRecord {
  const steps = columns[0]!.length, channels = columns.length, values = new Float32Array(steps * channels);
  for (let t = 0; t < steps; t++) columns.forEach((column, c) => values[t * channels + c] = Number(column[t]));
  return { values, steps, channels, labels: [label], place };
}

/** A file of the UCR and UEA archive. */
function archive(path: string): SequenceRecord[] {
  const all = lines(path);
  if (!path.endsWith(".ts")) {
    return all.filter((line) => line.trim()).map((line, i) => {
      const [label, ...values] = line.trim().split(/\s+/);
      return record([values], String(Math.trunc(Number(label))), `${path}, line ${i + 1}`);
    });
  }
  const start = all.findIndex((line) => line.trim().toLowerCase() === "@data") + 1;
  return all.slice(start).filter((line) => line.trim()).map((line, i) => {
    const parts = line.trim().split(":"), label = parts.pop()!;
    return record(parts.map((part) => part.split(",")), label, `${path}, line ${start + i + 1}`);
  });
}

function text(line: string, label: string, place: string): SequenceRecord {
  return { text: line, steps: 0, channels: 0, labels: [label], place };
}

function table(name: string): Table {
  const [head, ...rows] = lines(`forecast/${name}.csv`).filter((line) => line).map((line) =>
    line.split(",").map((cell) => cell.replace(/^"(.*)"$/, "$1"))
  );
  const columns = head!.slice(1);
  const values = columns.map((_, c) => Float64Array.from(rows, (row) => Number(row[c + 1])));
  return { name, columns, values, rows: rows.length };
}

/** What a pipeline fitted on one part makes of both. */
function prepare(train: SequenceRecord[], test: SequenceRecord[], options: PipelineOptions = {}): Prepared {
  const pipeline = Pipeline.fit(train, options);
  const part = (records: SequenceRecord[]): Part => {
    const { x, shape: [N, T, I], lengths = new Int32Array(N).fill(T), targets: y } = pipeline.dataset(records);
    const own = Array.from(lengths, (length, i) => x.subarray(i * T * I, (i * T + length) * I));
    return { x: own.flatMap((values) => Array.from(values)), lengths, y };
  };
  return { train: part(train), test: part(test), vocab: pipeline.numEmbeddings };
}

function split(records: SequenceRecord[], groups?: string[]): [SequenceRecord[], SequenceRecord[]] {
  const { train, test } = everyNth(records.length, 5, groups);
  return [Array.from(train, (i) => records[i]!), Array.from(test, (i) => records[i]!)];
}

function forecast(name: string, options: ForecastOptions, train: RowRange, test: RowRange): Prepared {
  const series = table(name), pipeline = ForecastPipeline.fit(series, options, train);
  const part = (rows: RowRange): Part => {
    const { x, shape: [N, T], targets: y } = pipeline.dataset(series, rows);
    return { x, lengths: new Int32Array(N).fill(T), y };
  };
  return { train: part(train), test: part(test), vocab: 0 };
}

const ucr = (name: string, ending: string, options: PipelineOptions = {}) => () =>
  prepare(
    archive(`classification/${name}/${name}_TRAIN.${ending}`),
    archive(`classification/${name}/${name}_TEST.${ending}`),
    options,
  );

const TASKS: Record<string, () => Prepared> = {
  ItalyPowerDemand: ucr("ItalyPowerDemand", "ts"),
  ArrowHead: ucr("ArrowHead", "ts", { patch: 5 }),
  BasicMotions: ucr("BasicMotions", "ts"),
  JapaneseVowels: ucr("JapaneseVowels", "ts"),
  SyntheticControl: ucr("SyntheticControl", "txt"),
  names() {
    const files = [...Deno.readDirSync(`${data}/text/names`)].map(({ name }) => name).filter((name) =>
      name.endsWith(".txt")
    ).sort();
    const records = files.flatMap((file) =>
      lines(`text/names/${file}`).filter((line) => line.trim()).map((line) => text(line, file.slice(0, -4), file))
    );
    const [train, test] = split(records, records.map(({ place }) => place));
    return prepare(train, test, { tokens: "characters", normalize: "ascii", maxLength: 20 });
  },
  sentiment() {
    const records = ["amazon_cells", "imdb", "yelp"].flatMap((name) =>
      lines(`text/sentiment/${name}_labelled.txt`).filter((line) => line.includes("\t")).map((line) => {
        const tab = line.lastIndexOf("\t");
        return text(line.slice(0, tab), line.slice(tab + 1), name);
      })
    );
    const [train, test] = split(records, records.map(({ place }) => place));
    return prepare(train, test, { tokens: "words", normalize: "ascii", minCount: 2, maxLength: 40 });
  },
  airline: () =>
    forecast(
      "airline-passengers",
      { targetColumns: ["Passengers"], window: 12, transform: "logDifference" },
      [0, 96],
      [96, 144],
    ),
  "daily-min-temperatures": () =>
    forecast("daily-min-temperatures", { targetColumns: ["Temp"], window: 14 }, [0, 2920], [2920, 3650]),
  ETTh1: () =>
    forecast("ETTh1", { targetColumns: ["OT"], window: 48, horizon: 24, center: true }, [0, 8640], [11520, 14400]),
};

const folder = Deno.makeTempDirSync();
const { success, stderr } = new Deno.Command(python, {
  args: [new URL("preprocessing.py", import.meta.url).pathname, data, folder],
  stderr: "piped",
}).outputSync();
if (!success) throw new Error(new TextDecoder().decode(stderr));

let failed = false;
for (const [name, prepareTask] of Object.entries(TASKS)) {
  const ours = prepareTask(), { vocab } = JSON.parse(Deno.readTextFileSync(`${folder}/${name}.json`));
  const exact = vocab > 0, wrong: string[] = ours.vocab === vocab ? [] : [`vocabulary ${ours.vocab}, theirs ${vocab}`];
  let largest = 0;
  for (const part of ["train", "test"] as const) {
    for (const what of ["x", "lengths", "y"] as const) {
      const bytes = Deno.readFileSync(`${folder}/${name}.${part}.${what}`).buffer, got = ours[part][what];
      const float = what === "x" && !exact || what === "y" && got instanceof Float32Array;
      const theirs = float ? new Float32Array(bytes) : new Int32Array(bytes);
      if (theirs.length !== got.length) wrong.push(`${part} ${what}: ${got.length} numbers, theirs ${theirs.length}`);
      theirs.forEach((value, i) => {
        const error = Math.abs(got[i]! - value) / Math.max(1, Math.abs(value));
        if (error > (float ? 1e-6 : 0) && wrong.length < 5) {
          wrong.push(`${part} ${what}[${i}]: ${got[i]}, theirs ${value}`);
        }
        largest = Math.max(largest, error);
      });
    }
  }
  const sizes = `${ours.train.lengths.length} / ${ours.test.lengths.length}`;
  console.log(
    `${name.padEnd(24)}${sizes.padEnd(14)}largest difference ${largest.toExponential(1)}  ${
      wrong.join("; ") || "same"
    }`,
  );
  failed ||= wrong.length > 0;
}
Deno.removeSync(folder, { recursive: true });
if (failed) Deno.exit(1);
