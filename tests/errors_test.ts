import assert from "node:assert/strict";
import { HINTS, lineOf } from "../core/cli/hints.ts";
import { readRecords } from "../core/data/readers/read.ts";
import type { ReadOptions } from "../core/data/readers/record.ts";
import { Pipeline } from "../core/data/pipeline.ts";
import { randomIndices } from "../core/data/split.ts";
import { amend, ERROR_CODES, errorCause, type ErrorCode, errorCode, fail, whileReading } from "../core/errors.ts";
import { createModel, formatCheckpoint, parseCheckpoint } from "../mod.ts";
import { signed } from "./checkpoints.ts";

const CORE = new URL("../core/", import.meta.url);

/** Every source file of core/ by its path there. */
function sources(folder = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, CORE))) {
    if (isDirectory) { for (const [path, text] of sources(`${folder}${name}/`)) found.set(path, text); }
    else if (name.endsWith(".ts")) found.set(folder + name, Deno.readTextFileSync(new URL(folder + name, CORE)));
  }
  return found;
}

const SOURCES = sources(), LIBRARY = [...SOURCES].filter(([path]) => path !== "errors.ts" && !path.startsWith("cli/"));

/** The helpers that make errors, each with its code first. */
const MAKERS = /(?<![#.\w])(?:fail|badFile|badData|wrong)\(\s*([^,]*),/g;

/** Where a code is chosen before it is given to a helper. */
const CHOSEN = /\b(?:wrong = |code(?: =|:) )[^;]*/g;

Deno.test("every error of the three classes is made by the helper that takes a code", () => {
  for (const [path, text] of LIBRARY) {
    assert.doesNotMatch(text, /\bnew (TypeError|RangeError|SyntaxError)\(/, `${path} makes an error without a code`);
  }
});

Deno.test("every code of the table is used, and every code that is used is in the table", () => {
  const used = new Set<string>();
  for (const [, text] of LIBRARY) {
    for (const [, first] of text.matchAll(MAKERS)) {
      for (const [, code] of first!.matchAll(/"([a-z0-9-]+)"/g)) {
        assert.ok(Object.hasOwn(ERROR_CODES, code!), `"${code}" is no code`);
        used.add(code!);
      }
    }
    for (const [chosen] of text.matchAll(CHOSEN)) {
      for (const [, word] of chosen.matchAll(/"([a-z0-9-]+)"/g)) if (Object.hasOwn(ERROR_CODES, word!)) used.add(word!);
    }
  }
  const unused = Object.keys(ERROR_CODES).filter((code) => !used.has(code));
  assert.deepEqual(unused, []);
});

Deno.test("nobody takes a message apart", () => {
  for (const [path, text] of SOURCES) {
    if (path === "cli/files.ts") continue; // what the operating system says
    assert.doesNotMatch(
      text,
      /\bmessage\s*\)?\.(replace|replaceAll|match|includes|startsWith|endsWith|split|slice)\(/,
      path,
    );
    assert.doesNotMatch(text, /\.(test|exec)\([^()]*(\([^()]*\))?[^()]*\bmessage\)/, path);
  }
});

Deno.test("the command line has a hint for every error whose advice is about an option", () => {
  let seen = 0;
  for (const [path, text] of LIBRARY) {
    for (const [call, first] of text.matchAll(/\b(?:fail|badFile|badData)\(\s*([^,]*),[^;]*?\badvice\b[^;]*;/g)) {
      for (const [, code] of first!.matchAll(/"([a-z-]+)"/g)) {
        if (!/\boption\b/.test(call)) continue;
        seen++;
        assert.ok(Object.hasOwn(HINTS, code!), `${path}: "${code}" has advice, but no hint`);
      }
    }
  }
  assert.ok(seen > 10, `${seen}`);
});

Deno.test("an error has the class of its code, a message of what, why and what to do, and a cause", () => {
  for (const [code, kind] of Object.entries(ERROR_CODES)) {
    const error = fail(code as ErrorCode, "do it", "it is bad", { value: 3, advice: "do not" });
    assert.equal(error.constructor, kind);
    assert.equal(error.message, "Cannot do it: it is bad: do not");
    assert.deepEqual(error.cause, { code, action: "do it", problem: "it is bad", value: 3, advice: "do not" });
    assert.equal(errorCode(error), code);
  }
  for (const other of [undefined, null, 3, "x", {}, new Error("x"), new Error("x", { cause: { code: "toString" } })]) {
    assert.equal(errorCode(other), undefined);
    assert.equal(amend(other, { action: "do more" }), other);
  }
  assert.equal(errorCode({ cause: { code: "empty" } }), undefined);
});

Deno.test("amend() moves an error, whileReading() makes its option a field of the file", () => {
  const error = fail("option-type", "train", "epochs must be an integer", { option: "epochs", expected: "an integer" });
  assert.equal(amend(error, { action: "resume", place: '"a"' }), error);
  assert.equal(error.message, 'Cannot resume "a": epochs must be an integer');
  whileReading('load "b"', error);
  assert.deepEqual([errorCause(error)!.option, errorCause(error)!.name], [undefined, "epochs"]);
  assert.equal(lineOf(error), 'cannot load "b" "a": epochs must be an integer');
});

Deno.test("hints go by code and details, whatever the library says", () => {
  const cases: [ErrorCode, Parameters<typeof fail>[3], string][] = [
    ["option-out-of-range", { option: "hiddenSize", expected: "odd", value: 2 }, "--hidden-size must be odd, got 2: η"],
    ["option-type", { option: "labelColumns", expected: "odd", value: "2" }, '--label-column must be odd, got "2": η'],
    ["option-type", { option: "maxBytes", expected: "odd", value: 2 }, "maxBytes must be odd, got 2: η"],
    ["option-type", { name: "hiddenSize", expected: "odd", value: 2 }, "ζ: η"],
    [
      "option-unsuited",
      { option: "labelsFrom", expected: "npy", name: "npz", advice: "yKey says where labels are" },
      "--label-file is for npy, not for npz: --y-key says where labels are",
    ],
    ["label-missing", { option: "textColumn" }, "ζ: of a table, --text-column NAME says which column holds the text"],
    ["label-missing", {}, "ζ: η"],
    ["option-missing", { option: "sequenceColumn" }, "ζ: --sequence-column NAME"],
    ["option-missing", { option: "window", advice: undefined }, "--window is missing"],
    [
      "input-kind",
      { option: "minCount", expected: "text", name: "a.csv" },
      "--min-count is for text, which a.csv is not: η",
    ],
    [
      "value-missing",
      { option: "missing" },
      "ζ: --missing drop leaves it out, --missing zero, mean or last fills it in",
    ],
    ["value-missing", {}, "ζ: η"],
    ["series-missing", { option: "missingValues", value: "--" }, "ζ: --missing-values=-- if it marks a missing value"],
    ["series-missing", {}, "ζ: η"],
    [
      "shape-mismatch",
      { option: "layout" },
      "ζ: --layout ntc or --layout nct, if steps and channels are the other way round",
    ],
    ["header-unclear", { option: "header" }, "ζ: --header or --no-header says what it is"],
    [
      "labels-unclear",
      { option: "labelEveryStep" },
      "ζ: --label-every-step if they are those of the steps, --no-label-every-step if they are several of the sequence",
    ],
    ["label-column-unknown", { option: "labelColumns" }, "ζ: --label-column NAME"],
    ["labels-missing", { option: "labelsFrom" }, "ζ: they are y of a .npz, or a .npy of their own: --label-file FILE"],
    ["column-missing", { option: "timeColumn" }, "ζ: --time-column asks for it"],
    ["column-missing", {}, "ζ: η"],
    [
      "column-unnamed",
      { option: "featureColumns" },
      "ζ: name it, or say which columns to take: --feature-columns NAME,…",
    ],
    [
      "column-is-time",
      { option: "featureColumns" },
      "ζ: --sequence-column NAME if a row is a step, else --feature-columns NAME,… are its steps",
    ],
    [
      "column-is-time",
      { option: "timeColumn", column: "t" },
      "ζ: --time-column t, or --feature-columns NAME,… are the channels",
    ],
    [
      "sequence-inconsistent",
      { option: "labelsPerRow" },
      "ζ: --window N cuts recordings with a label per row into windows",
    ],
    ["label-missing", { option: "key" }, "ζ: --key NAME is its column with the names of sequences"],
    ["label-out-of-range", { option: "windowLabel" }, "ζ: --window-label last takes that of the last row"],
    ["column-type", { option: "featureColumns" }, "ζ: --feature-columns NAME,… are those to take"],
    ["column-not-numbers", { option: "featureColumns", column: "a" }, "ζ: --feature-columns NAME,… are those to take"],
    [
      "column-not-numbers",
      { option: "sequenceColumn", column: "a" },
      "ζ: --feature-columns NAME,… are those to take, --sequence-column a if it names sequences of a row per step",
    ],
    ["sequence-repeated", { option: "sequenceColumn" }, "ζ: --sequence-column NAME if a row is a step"],
    ["array-missing", { option: "xKey" }, "ζ: --x-key NAME"],
    ["not-a-number", { option: "decimal" }, "ζ: --decimal . or --decimal , says which is the decimal sign"],
    ["file-malformed", { option: "quote" }, "ζ: --quote none if it is text like any other"],
    ["file-malformed", { option: "encoding" }, "ζ: --encoding latin1, or what else it is in"],
    ["label-unknown", { option: "task" }, "ζ: --task regression takes labels for amounts"],
    ["too-few-items", { count: 1, name: "sequence", option: "folds" }, "1 sequence is too few for --folds"],
    [
      "too-few-items",
      { count: 2, name: "row", option: "testSplit" },
      "2 rows are too few for --test-split: --test-split 0 holds none out",
    ],
    ["option-conflict", { option: "bridge" }, "ζ: η"],
    ["row-width", { option: "sourceColumn" }, "ζ: --source-column 0 --target-column 1 take the first two"],
    ["row-width", {}, "ζ: η"],
    ["target-too-long", { option: "maxTargetLength" }, "ζ: --max-target-length N takes longer ones"],
    ["line-too-long", { option: "maxLineBytes" }, "ζ"],
    ["line-too-long", {}, "ζ: η"],
    ["file-too-large", { option: "maxBytes" }, "ζ"],
  ];
  for (const [code, details, line] of cases) {
    const error = fail(code, "λ", "ζ", { advice: "η", ...details });
    error.message = "in other words";
    assert.equal(lineOf(error), `cannot λ: ${line}`);
  }
  assert.deepEqual(Object.keys(HINTS).filter((code) => !cases.some(([known]) => known === code)), []);
});

/** What reading a text as CSV, and preparing it, throws. */
async function thrown(text: string, options: ReadOptions = {}): Promise<unknown> {
  const stream = () => new Blob([text]).stream();
  try {
    const records = await Array.fromAsync((await readRecords({ name: "a.csv", stream }, options)).records);
    return Pipeline.fit(records).dataset(records);
  } catch (error) {
    return error;
  }
}

Deno.test("the hints of real errors outlive any rewording", async () => {
  const cases: [unknown, string][] = [
    [
      await thrown("a,b,label\nu,2,x\n"),
      ": --feature-columns NAME,… are those to take, --sequence-column a if it names",
    ],
    [await thrown("a,b,label\n1,2,x\n", { timeColumn: "a" }), ": --sequence-column NAME"],
    [await thrown("a,b,c\n1,2,x\n"), ": --label-column NAME"],
    [await thrown("id,b,y\n1,2,x\n1,2,x\n"), ": --sequence-column NAME if a row is a step"],
    [await thrown("a,y\n1,x\n,z\n"), ": --missing drop leaves it out"],
    [await thrown("1.5,2.5\n"), ": --header or --no-header"],
    [await thrown("a,y\n1,x\n", { featureColumns: ["b"] }), ": --feature-columns asks for it"],
  ];
  for (const [error, hint] of cases) {
    assert.ok(errorCode(error), String(error));
    amend(error, { action: "λ", problem: "ζ", advice: "η" });
    assert.ok(lineOf(error).startsWith(`cannot λ: ζ${hint}`), lineOf(error));
  }
  assert.throws(() => randomIndices(1, [0.8, 0.2], 1), (error) => errorCause(error)?.count === 1);
});

Deno.test("an option of a file is not the caller's", async () => {
  const config = { inputSize: 5, hiddenSize: 10, outputSize: 2 };
  const wrong = await createModel({ ...config, inputSize: 0 }).catch((error) => error);
  assert.deepEqual([errorCode(wrong), errorCause(wrong)!.option], ["option-out-of-range", "inputSize"]);
  assert.match(lineOf(wrong), /^cannot create model: inputSize must be/);
  using model = await createModel(config);
  const json = JSON.parse(await formatCheckpoint({ model }));
  json.config.hiddenSize = 0;
  const stored = await parseCheckpoint(signed(json), "a.json").catch((error) => error);
  assert.deepEqual([errorCode(stored), errorCause(stored)!.name], ["option-out-of-range", "hiddenSize"]);
  assert.match(lineOf(stored), /^cannot load checkpoint "a\.json": config: hiddenSize must be/);
});
