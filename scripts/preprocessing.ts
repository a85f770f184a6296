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
  type Input,
  Pipeline,
  type PipelineOptions,
  type ReadOptions,
  readRecords,
  readTable,
  type RowRange,
  type SequenceRecord,
} from "../mod.ts";
import { commandLine } from "./command_line.ts";

/** Inputs and targets as arrays without padding. */
interface Part {
  readonly x: ArrayLike<number>;
  readonly lengths: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}

type Prepared = { readonly train: Part; readonly test: Part; readonly vocab: number };

const command = "deno run -A scripts/preprocessing.ts";
const { operands } = commandLine(command, "Holds the preprocessing of real data against Python's.", {}, [
  "DATA",
  "PYTHON",
]);
const [data, python] = operands as [string, string];

function input(path: string, label?: string): Input {
  return { name: path, label, stream: async () => (await Deno.open(`${data}/${path}`)).readable };
}

async function records(path: string, label?: string, options?: ReadOptions): Promise<SequenceRecord[]> {
  return await Array.fromAsync((await readRecords(input(path, label), options)).records);
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

/** Items 0, 5, 10, … of each file to test on. */
function split(files: SequenceRecord[][]): [SequenceRecord[], SequenceRecord[]] {
  const all = files.flat(), { train, test } = everyNth(all.length, 5, files.flatMap((file, i) => file.map(() => i)));
  return [Array.from(train, (i) => all[i]!), Array.from(test, (i) => all[i]!)];
}

async function forecast(name: string, options: ForecastOptions, train: RowRange, test: RowRange): Promise<Prepared> {
  const table = await readTable(input(`forecast/${name}.csv`)), pipeline = ForecastPipeline.fit(table, options, train);
  const part = (rows: RowRange): Part => {
    const { x, shape: [N, T], targets: y } = pipeline.dataset(table, rows);
    return { x, lengths: new Int32Array(N).fill(T), y };
  };
  return { train: part(train), test: part(test), vocab: 0 };
}

const archive = (name: string, ending: string, options?: PipelineOptions) => async () => {
  const path = `classification/${name}/${name}`;
  return prepare(await records(`${path}_TRAIN.${ending}`), await records(`${path}_TEST.${ending}`), options);
};

const TASKS: Record<string, () => Promise<Prepared>> = {
  ItalyPowerDemand: archive("ItalyPowerDemand", "ts"),
  ArrowHead: archive("ArrowHead", "ts", { patch: 5 }),
  BasicMotions: archive("BasicMotions", "ts"),
  JapaneseVowels: archive("JapaneseVowels", "ts"),
  SyntheticControl: archive("SyntheticControl", "txt"),
  async names() {
    const names = [...Deno.readDirSync(`${data}/text/names`)].map(({ name }) => name).sort();
    const files = await Promise.all(names.map((name) => records(`text/names/${name}`, name, { format: "text" })));
    const [train, test] = split(files);
    return prepare(train, test, { tokens: "characters", normalize: "ascii", maxLength: 20 });
  },
  async sentiment() {
    const names = ["amazon_cells", "imdb", "yelp"].map((name) => `text/sentiment/${name}_labelled.txt`);
    const [train, test] = split(await Promise.all(names.map((name) => records(name, undefined, { format: "text" }))));
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
  const ours = await prepareTask(), { vocab } = JSON.parse(Deno.readTextFileSync(`${folder}/${name}.json`));
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
