import assert from "node:assert/strict";
import { lineOf } from "../../core/cli/hints.ts";
import type { DataJob } from "../../core/job/data_options.ts";
import { FLAGS } from "../../core/job/options.ts";
import { suitedOptions } from "../../core/job/suits.ts";
import type { OptionSpec } from "../../core/options.ts";
import { errorCause, readRecords, readTable } from "../../mod.ts";
import { files, KINDS, madeBy } from "./kinds.ts";

/** Values that are none of the defaults, and matter to the files wherever they can. */
const VALUES: Readonly<Record<string, string>> = {
  "test-data": "wide.csv",
  "format": "ts",
  "delimiter": ";",
  "decimal": ",",
  "missing-values": "0.5,up",
  "quote": "none",
  "encoding": "utf-16le",
  "layout": "nct",
  "label-file": "z.npy",
  "test-label-file": "z.npy",
  "sequence-column": "w",
  "time-column": "t0",
  "label-column": "kind",
  "feature-columns": "t1",
  "weight-column": "w",
  "group-column": "w",
  "window": "1",
  "text-column": "other",
  "x-key": "other",
  "y-key": "z",
  "task": "regression",
  "missing": "mean",
  "tokens": "characters",
  "normalize": "ascii",
  "min-count": "20",
  "label-separator": "w",
  "class-weights": "1,3",
  "target-column": "price",
  "target-tokens": "words",
  "target-file": "texts.txt",
  "test-target-file": "texts.txt",
  "source-column": "other",
  "train-rows": "0:12",
  "test-rows": "-3:",
  "loss": "mse",
  "quantiles": "0.1,0.9",
};

/** What says the same as the defaults do. */
const SAYS_NOTHING = new Set([
  "wide table of amounts --task regression",
  "text --no-header",
  "ts --format ts",
  "pairs --bidirectional",
  "pairs --no-header",
  "pairs of a table --bidirectional",
]);

/** A flag with a value. */
function words(flag: string, { type, default: usual, choices }: OptionSpec): string[] {
  if (type === "boolean") return [`--${usual === true || flag === "header" ? "no-" : ""}${flag}`];
  const value = VALUES[flag] ?? choices?.find((choice) => choice !== usual);
  return [`--${flag}`, value ?? (type === "integer" ? "2" : type === "numbers" ? "0.5,0.6" : "0.3")];
}

/** What a training by some words would be, as JSON; or why it cannot be. */
type Outcome = (line: readonly string[]) => Promise<string>;

/** Runs with the files in a folder, which is there no more afterwards. */
async function withFiles(run: (outcome: Outcome) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "grutto-" }), written = await files(), say = console.error;
  console.error = () => {};
  try {
    for (const [name, content] of Object.entries(written)) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      Deno.writeFileSync(`${folder}/${name}`, bytes);
    }
    await run(async (line) => {
      try {
        const placed = line.map((word) => Object.hasOwn(written, word) ? `${folder}/${word}` : word);
        return JSON.stringify(await madeBy(placed));
      } catch (error) {
        return `refused: ${lineOf(error)}`;
      }
    });
  } finally {
    console.error = say;
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("every flag changes what a training is, or is refused, whatever the data", async () => {
  await withFiles(async (outcome) => {
    const idle: string[] = [];
    let refused = 0, changed = 0;
    for (const [kind, text] of Object.entries(KINDS)) {
      const line = text.split(" ").filter((word) => word), usual = await outcome(line);
      assert.doesNotMatch(usual, /^refused/, kind);
      for (const { flag, group, spec } of FLAGS) {
        // What is trained on is what is compared; devices give the same, and losses' means have a default by the data.
        if (flag === "data" || group === "device" || flag === "validation-reduction") continue;
        const flagged = words(flag, spec), after = await outcome([...line, ...flagged]);
        if (after.startsWith("refused")) refused++;
        else if (after !== usual) changed++;
        else if (!SAYS_NOTHING.has(`${kind} ${flagged.join(" ")}`)) idle.push(`${kind} ${flagged.join(" ")}`);
      }
    }
    assert.deepEqual(idle, []);
    assert.ok(refused > 500 && changed > 500, `${refused} refused, ${changed} changed`);
  });
});

Deno.test("what does not suit the data is refused by name, with what to use instead", async () => {
  const cases: [kind: string, flags: string, message: string][] = [
    ["npz", "--feature-columns 0", "--feature-columns is for csv and arff, not for npz: --x-key says what goes in"],
    ["npz", "--label-column y", "--label-column is for csv, arff and text, not for npz: --y-key says where labels are"],
    ["ts", "--sequence-column id", "--sequence-column is for csv, not for ts: a line is a sequence"],
    ["jsonl", "--weight-column w", "--weight-column is for csv, not for jsonl: weight of a line is its weight"],
    ["wide table", "--label-file no.npy", "--label-file is for npy, not for csv: --label-column says where labels are"],
    ["wide table", "--embedding-dim 8", "--embedding-dim is for text, not for numbers"],
    ["wide table", "--tokens words", "of a table, --text-column NAME says which column holds the text"],
    ["table of texts", "--feature-columns w", "--feature-columns is for numbers, not for text"],
    ["table of texts", "--missing drop", "--missing is for numbers, not for text"],
    ["wide table of amounts", "--one-hot", "--one-hot is for the task multiclass, not for regression"],
    [
      "wide table of amounts",
      "--no-stratify",
      "--no-stratify is for the task binary or multiclass, not for regression",
    ],
    ["wide table", "--test-every 3 --no-stratify", "--no-stratify needs a random division: --test-split or"],
    ["wide table", "--test-label-file y.npy", "--test-label-file needs --test-data FILE"],
    ["forecast of a table", "--patch 2", "not for forecasts: --window N says how many rows a forecast sees"],
    ["forecast of a table", "--label-column x", "not for forecasts: --target-column NAME says what is forecast"],
    [
      "forecast of a table",
      "--task regression",
      "--task regression is not for forecasts: --target-column asks for one",
    ],
    ["forecast of an array", "--delimiter ;", "--delimiter is for csv, not for npy"],
    ["npz", "--tokens words", "--tokens is for text, not for numbers"],
    ["wide table", "--beam 3", "--beam is for pairs: --task seq2seq says that data are some"],
    ["pairs", "--label-column 1", "not for pairs: --target-column NAME says what is to be said"],
    ["pairs", "--text-column 1", "not for pairs: --source-column NAME says what is read"],
    ["pairs", "--horizon 2", "--horizon is for forecasts, not for pairs"],
    ["pairs", "--missing drop", "--missing is for labeled sequences and forecasts, not for pairs"],
    ["pairs", "--quote none", "--quote is for csv, not for text"],
    ["pairs", "--teacher-k 2", "--teacher-k belongs to --teacher-schedule exponential or --teacher-schedule inverse"],
    ["pairs", "--test-target-file texts.txt", "--test-target-file needs --test-data FILE"],
    ["the sample job", "--label-column y", "--label-column needs --data FILE"],
    ["the sample job", "--layer-dropout 0.2", "--layer-dropout needs --num-layers 2"],
    ["the sample job", "--optimizer sgd --dampening 0.2", "--dampening needs --momentum X"],
  ];
  await withFiles(async (outcome) => {
    for (const [kind, flags, message] of cases) {
      const found = await outcome(`${KINDS[kind]} ${flags}`.split(" ").filter((word) => word));
      assert.ok(found.startsWith("refused") && found.includes(message), `${kind} ${flags}: ${found.slice(0, 200)}`);
    }
    // What suits one of several files is not in vain; test data may be of another format.
    const both = await outcome(["wide.csv", "wide.csv", "lines.jsonl", "--label-column", "label"]);
    assert.match(both, /there must be 1 channel, got 6/);
    assert.match(
      await outcome(["lines.jsonl", "records.json", "--label-column", "label"]),
      /is for csv, arff and text/,
    );
    assert.doesNotMatch(
      await outcome(["wide.csv", "--weight-column", "w", "--test-data", "lines.jsonl"]),
      /is for csv/,
    );
  });
});

Deno.test("readRecords() and readTable() refuse options that are not for the format", async () => {
  const stream = () => new Blob(['{"x":[1,2],"y":"a"}\n']).stream();
  await assert.rejects(readRecords({ name: "a.jsonl", stream }, { featureColumns: ["b"] }), (error) => {
    const { code, option, expected, name } = errorCause(error)!;
    assert.ok(error instanceof TypeError);
    assert.deepEqual([code, option, expected, name], ["option-unsuited", "featureColumns", "csv and arff", "jsonl"]);
    return true;
  });
  const table = () => new Blob(["a,b\n1,2\n"]).stream();
  await assert.rejects(readTable({ name: "a.csv", stream: table }, { labelColumns: ["b"] }), {
    message: "Cannot read a.csv: labelColumns is for sequences, not for a table of series",
  });
});

Deno.test("settings that do nothing for the task or the data are none of a report", async () => {
  const { DATA_OPTIONS } = await import("../../core/job/data_options.ts");
  const { resolveOptions } = await import("../../core/options.ts");
  const all = resolveOptions<DataJob["preparation"]>("test", DATA_OPTIONS.preparation, {});
  const names = (input: "numbers" | "text", task: "multiclass" | "regression") =>
    Object.keys(suitedOptions("preparation", all, { form: "labeled sequences", input, task }));
  assert.deepEqual(names("text", "multiclass"), ["minCount", "oneHot", "windowLabel"]);
  assert.deepEqual(names("text", "regression"), ["standardize", "minCount", "windowLabel"]);
  assert.deepEqual(names("numbers", "multiclass"), [
    "standardize",
    "missing",
    "patch",
    "oneHot",
    "windowLabel",
  ]);
  assert.deepEqual(names("numbers", "regression"), [
    "standardize",
    "missing",
    "patch",
    "windowLabel",
  ]);
});
