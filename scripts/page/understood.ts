/** What was understood of data, as HTML. */

import { validTargets } from "../../core/data/metrics/rows.ts";
import { byKind } from "../../core/data/preprocessing.ts";
import { isPairs } from "../../core/data/pairs.ts";
import { plural } from "../../core/job/words.ts";
import { sequencesIn } from "../../core/job/training_data.ts";
import type { TrainingRun } from "../../core/job/training_run.ts";
import { type Content, el } from "../../core/report/markup.ts";
import { short } from "../../core/report/scale.ts";
import type { Data } from "./data.ts";
import { inFields } from "./words.ts";
import { type Column, type LookedAt, type Role, ROLES } from "./table.ts";

/** Columns that are shown at the beginning of a table, and at its end where it has more. */
const FIRST = 24, LAST = 8;

/** Classes that are listed. */
const CLASSES = 12;

/** Files, facts and columns. */
export function understood(data: Data): Content {
  const { run, table } = data;
  return [
    data.files.length > 0 && files(data),
    run && facts(run, data),
    table && columnTable(data),
  ];
}

function files({ files, sample }: Data): Content {
  return el(
    "ul",
    { class: "files" },
    files.map(({ name, blob, use }, i) =>
      el(
        "li",
        {},
        el("b", {}, name),
        ` ${size(blob.size)}`,
        files.length > 1 && !sample && el(
          "select",
          { id: `use-${i}`, "data-use": i, "aria-label": `Use of ${name}` },
          (["train", "test"] as const).map((value) =>
            el(
              "option",
              { value, selected: value === use && "selected" },
              value === "train" ? "to train on" : "to test on",
            )
          ),
        ),
      )
    ),
  );
}

function size(bytes: number): string {
  return bytes < 1000 ? plural(bytes, "byte") : bytes < 1e6 ? `${short(bytes / 1000)} kB` : `${short(bytes / 1e6)} MB`;
}

/** What the data are, in figures and in words. */
function facts(run: TrainingRun, { table, roles, notes }: Data): Content {
  const { data } = run, { train, watched, watchedName, own } = data;
  const isWindows = own?.preprocessing.task === "forecast",
    thing = isPairs(train) ? "pair" : isWindows ? "window" : "sequence";
  const held = own?.test && watched !== own.test ? own.test : undefined;
  const tiles: [string, string, string?][] = [
    ["Training", short(sequencesIn(train)), thing + (sequencesIn(train) === 1 ? "" : "s")],
    ...watched
      ? [
        [watchedName === "test" ? "Test" : "Validation", short(sequencesIn(watched)), "held out"] as [
          string,
          string,
          string,
        ],
      ]
      : [],
    ...held ? [["Test", short(sequencesIn(held)), "held out"] as [string, string, string]] : [],
    ...own
      ? [["Task", own.preprocessing.task, aboutTask(run)] as [string, string, string?]]
      : [["Task", "two classes", "sum above or below 0"] as [string, string, string]],
    ...shapeOf(run),
    ...table ? [missingIn(table, roles)] : [],
  ];
  const [first, ...rest] = data.description;
  return [
    el(
      "dl",
      { class: "tiles" },
      tiles.map(([name, value, beside]) =>
        el("div", {}, el("dt", {}, name), el("dd", {}, value, beside !== undefined && el("small", {}, beside)))
      ),
    ),
    classCounts(run),
    el(
      "ul",
      { class: "said" },
      [first!, ...rest, ...[...notes, ...data.warnings ?? []].map((note) => `note: ${note}`)].map((line) =>
        el("li", {}, inFields(line))
      ),
    ),
  ];
}

function aboutTask({ data: { own } }: TrainingRun): string | undefined {
  return byKind<string | undefined>(own!.preprocessing, {
    sequences: ({ labels, task }) =>
      task === "regression" ? labels.join(", ") : plural(
        labels.length,
        task === "multilabel" ? "label" : "class",
        task === "multilabel" ? "labels" : "classes",
      ),
    pairs: () => "from sequence to sequence",
    forecasts: ({ labels }) => labels.slice(0, 3).join(", ") + (labels.length > 3 ? ", …" : ""),
  });
}

/** Steps and what each is made of. */
function shapeOf({ data: { train, own } }: TrainingRun): [string, string, string?][] {
  if (isPairs(train)) return [];
  const { shape, lengths } = train, [, T, I] = shape as [number, number, number];
  const least = lengths ? lengths.reduce((a, b) => Math.min(a, b)) : T;
  const names = own && byKind<readonly string[] | undefined>(own.preprocessing, {
    sequences: ({ channelNames, numEmbeddings }) => numEmbeddings ? undefined : channelNames,
    pairs: () => undefined,
    forecasts: ({ channelNames }) => channelNames,
  });
  const tokens = own &&
    byKind<number>(own.preprocessing, {
      sequences: ({ numEmbeddings }) => numEmbeddings,
      pairs: () => 0,
      forecasts: () => 0,
    });
  const some = names && names.slice(0, 4).join(", ") + (names.length > 4 ? ", …" : "");
  return [
    [tokens ? "Tokens each" : "Steps each", least === T ? short(T) : `${short(least)}–${short(T)}`],
    tokens ? ["Vocabulary", short(tokens), "tokens"] : ["Features", short(I), some],
  ];
}

/** Cells without a value in the columns that are used. */
function missingIn({ columns, isWhole }: LookedAt, roles: readonly Role[]): [string, string, string] {
  const used = columns.filter((_, i) => roles[i] !== "none"),
    count = used.reduce((sum, { missing }) => sum + missing, 0);
  const rows = columns[0]!.rows;
  return ["Missing", count ? short(count) : "none", `in ${isWhole ? "" : "the first "}${plural(rows, "row")}`];
}

/** How many sequences of each class there are to train on. */
function classCounts({ data: { train, own } }: TrainingRun): Content {
  const labels = own && byKind<readonly string[] | undefined>(own.preprocessing, {
    sequences: ({ task, labels }) => task === "multiclass" || task === "binary" ? labels : undefined,
    pairs: () => undefined,
    forecasts: () => undefined,
  });
  if (!labels || isPairs(train)) return undefined;
  const counts = new Array<number>(labels.length).fill(0), targets = validTargets(train);
  const width = targets instanceof Int32Array ? 1 : targets.length / sequencesIn(train);
  if (targets instanceof Int32Array) { for (const target of targets) counts[target]!++; }
  else if (width === 1) { for (const target of targets) counts[Math.round(target)]!++; }
  else targets.forEach((target, i) => counts[i % width]! += target);
  const most = Math.max(...counts), shown = labels.slice(0, CLASSES);
  return el(
    "table",
    { class: "list counts" },
    el("caption", {}, "Classes to train on"),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        el("th", { scope: "col" }, "class"),
        el("th", { scope: "col" }, train.targetsPerStep ? "steps" : "sequences"),
      ),
    ),
    el(
      "tbody",
      {},
      shown.map((label, c) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, label),
          el(
            "td",
            {},
            short(counts[c]!),
            el(
              "svg",
              { viewBox: "0 0 48 9", "aria-hidden": "true" },
              el("rect", { class: "rail", x: 0, y: 0, width: 48, height: 9, rx: 2 }),
              el("rect", { class: "bar", x: 0, y: 0, width: 48 * counts[c]! / most, height: 9, rx: 2 }),
            ),
          ),
        )
      ),
      labels.length > CLASSES &&
        el("tr", {}, el("th", { scope: "row" }, `${labels.length - CLASSES} more`), el("td", {})),
    ),
  );
}

/** The columns of a table, each with what it is used for. */
function columnTable({ table, roles, run }: Data): Content {
  const { columns, isWhole } = table!, all = columns.map((column, i) => ({ column, i }));
  const shown = columns.length > FIRST + LAST ? [...all.slice(0, FIRST), ...all.slice(-LAST)] : all;
  const rest = columns.length - shown.length, some = isWhole ? "" : `, of the first ${short(columns[0]!.rows)} rows`;
  return [
    el("h3", { id: "columns" }, "Columns"),
    el(
      "p",
      { class: "note" },
      `What each column is used for. Values and gaps${some}.${
        rest ? ` ${rest} columns between are left out here, and used like their neighbors.` : ""
      }`,
    ),
    el(
      "div",
      { class: "card scroll", tabindex: "0", role: "region", "aria-labelledby": "columns" },
      el(
        "table",
        { class: "list columns" },
        el(
          "thead",
          {},
          el("tr", {}, ["column", "use", "values", "missing"].map((name) => el("th", { scope: "col" }, name))),
        ),
        el("tbody", {}, shown.map(({ column, i }) => columnRow(column, i, roles[i]!, run))),
      ),
    ),
  ];
}

function columnRow(
  { name, kind, examples, missing, rows }: Column,
  i: number,
  role: Role,
  run: TrainingRun | undefined,
): Content {
  const called = name || `column ${i + 1}`, isPairs = run?.job.own?.preparation.task === "seq2seq";
  const names: Readonly<Record<string, string>> = isPairs ? { ...ROLES, target: "target" } : ROLES;
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, called),
    el(
      "td",
      {},
      el(
        "select",
        { id: `column-${i}`, "data-column": i, "aria-label": `Use of ${called}` },
        Object.entries(names).map(([value, text]) =>
          el("option", { value, selected: value === role && "selected" }, text)
        ),
      ),
    ),
    el(
      "td",
      { class: "examples" },
      examples.map((one) => one.length > 24 ? `${one.slice(0, 23)}…` : one).join(", "),
      el("small", {}, kind),
    ),
    el("td", {}, missing ? `${short(missing)} of ${short(rows)}` : "none"),
  );
}
