/** The form: fields made from the tables of options, one for each, and what they say as options of a job. */

import { convert } from "../../core/cli/options.ts";
import { FLAGS, type GivenOptions, type Group, JOB_OPTIONS } from "../../core/job/options.ts";
import { formatsOf, suitOf, type Traits } from "../../core/job/suits.ts";
import type { OptionSpec } from "../../core/options.ts";
import { type Content, el } from "../../core/report/markup.ts";

/** An option of a job, as a field. */
export interface Field {
  /** "training.epochs": its group and name; what the page knows it by. */
  readonly key: string;
  readonly group: Group;
  readonly name: string;
  readonly flag: string;
  readonly spec: OptionSpec;
  /** What people read. */
  readonly label: string;
}

/** Labels that are more than a flag without its hyphens. */
const LABELS: Readonly<Record<string, string>> = {
  lr: "learning rate",
  "hidden-size": "units",
  "num-layers": "layers",
  missing: "missing values",
  "test-split": "share for testing",
  "validation-split": "share for validation",
  header: "first row names the columns",
  threads: "threads",
  device: "compute on",
  tokens: "tokens of text",
  horizon: "steps ahead",
};

/** What fields mean, where the words of the flag are not those of a page. */
const ABOUTS: Readonly<Record<string, string>> = {
  header: "no: it is data like the others",
  "test-split": "held out to test on, from 0 to below 1",
  "validation-split": "of the rest, to find the best epoch with",
  missing: "what becomes of gaps",
  task: "what is predicted",
  lr: "how far a step goes",
  device: "all processors give the same bits",
};

/** Options that say where files are, what the page asks in another way, or that make several trainings of one. */
const ELSEWHERE = new Set([
  ...["data", "testData", "labelFile", "labelsTable", "testLabelFile", "key", "targetFile", "testTargetFile"],
  ...["sequenceColumn", "timeColumn", "labelColumn", "featureColumns", "groupColumn", "weightColumn", "textColumn"],
  ...["sourceColumn", "targetColumns", "folds", "walkForward", "simd"],
]);

/** All fields, by their keys. */
export const FIELDS: ReadonlyMap<string, Field> = new Map(
  FLAGS.filter(({ name }) => !ELSEWHERE.has(name)).map(({ group, name, flag, spec }) => {
    const key = `${group}.${name}`;
    return [key, { key, group, name, flag, spec, label: LABELS[flag] ?? flag.replaceAll("-", " ") }];
  }),
);

/** Those that stand above the fold. */
const MAIN = {
  data: [
    "preparation.task",
    "preparation.missing",
    "preparation.tokens",
    "forecast.window",
    "forecast.horizon",
    "division.testSplit",
    "division.validationSplit",
    "files.header",
  ],
  training: [
    "training.epochs",
    "optimizer.learningRate",
    "training.batchSize",
    "model.hiddenSize",
    "model.numLayers",
    "model.cell",
    "model.dropout",
    "model.bidirectional",
    "everything.seed",
    "device.device",
  ],
} as const;

/** Titles of the groups of the others, in their order. */
const TITLES: readonly (readonly [title: string, ...groups: Group[]])[] = [
  ["How files are written", "files", "columns"],
  ["The made data", "data"],
  ["Preparation", "preparation", "forecast", "pairs"],
  ["Division", "division"],
  ["Network", "model"],
  ["Optimizer", "optimizer"],
  ["Training", "training", "schedule", "earlyStopping", "teacher"],
  ["Answers", "search"],
  ["Device", "device"],
];

/** Texts of fields by their keys; none where nothing was said. */
export type Texts = ReadonlyMap<string, string>;

/** What is known of the data that a form is about. */
export interface About {
  readonly traits: Traits;
  /** Whether they come from files. */
  readonly isOwn: boolean;
  /** The format of the files, where it is known. */
  readonly format?: string;
  /** What holds where nothing is said, as far as the data decide it. */
  readonly defaults: Readonly<Record<string, string>>;
  readonly hasGpu: boolean;
}

/**
 * What a form says, by group, in the order of the tables.
 *
 * @throws {UsageError} If a text is not what its option takes.
 */
export function optionsOf(texts: Texts): Record<Group, Record<string, unknown>> {
  const given = Object.fromEntries(Object.keys(JOB_OPTIONS).map((group) => [group, {}])) as Record<
    Group,
    Record<string, unknown>
  >;
  for (const { key, group, name, flag, spec } of FIELDS.values()) {
    const text = texts.get(key);
    if (text === undefined || text === "") continue;
    given[group][name] = convert(flag, name, spec, spec.type === "boolean" ? text === "yes" : text);
  }
  return given;
}

/** Whether a field does anything for such data. */
function isShown({ group, name, key }: Field, { traits, isOwn, format }: About): boolean {
  if (group === "data") return !isOwn;
  const isPairs = traits.form === "pairs";
  if (group === "pairs" || group === "search" || group === "teacher") return isPairs;
  if (!["files", "columns", "preparation", "division", "forecast"].includes(group)) return true;
  if (!isOwn) return false;
  const formats = formatsOf(name);
  if (formats && format && !formats.includes(format)) return false;
  // What the task is can be changed; what else goes by it is shown once it suits.
  if (key === "preparation.task") return true;
  if (isPairs) {
    return ["tokens", "normalize", "minCount", "maxLength", "embeddingDim", "testSplit", "validationSplit"].includes(
      name,
    );
  }
  const { forms, input, tasks } = suitOf(group, name) ?? {};
  if (name === "window" && traits.form === "labeled sequences") return true;
  if (forms && traits.form && !forms.includes(traits.form)) return false;
  if (input && traits.input && input !== traits.input) return false;
  return !(tasks && traits.task && !input && !tasks.includes(traits.task));
}

/** The fields about the data. */
export function dataFields(texts: Texts, about: About): Content {
  return el("div", { class: "fields" }, MAIN.data.map((key) => field(key, texts, about)));
}

/** The fields about the training, and below all the others. */
export function trainingFields(texts: Texts, about: About): Content {
  const main = new Set<string>([...MAIN.data, ...MAIN.training]);
  const others = TITLES.map(([title, ...groups]) => {
    const own = [...FIELDS.values()].filter((one) =>
      groups.includes(one.group) && !main.has(one.key) && isShown(one, about)
    );
    return own.length > 0 &&
      el(
        "fieldset",
        {},
        el("legend", {}, title),
        el("div", { class: "fields" }, own.map(({ key }) => field(key, texts, about))),
      );
  });
  return [
    el("div", { class: "fields" }, MAIN.training.map((key) => field(key, texts, about))),
    el("details", { id: "others" }, el("summary", {}, "All other options"), others),
  ];
}

/** The id of a field's element. */
export function idOf(key: string): string {
  return `f-${key.replace(".", "-")}`;
}

function field(key: string, texts: Texts, about: About): Content {
  const one = FIELDS.get(key)!, { spec, label } = one, id = idOf(key), text = texts.get(key) ?? "";
  if (!isShown(one, about)) return undefined;
  const choices = choicesOf(one, about), otherwise = about.defaults[key] ?? defaultOf(spec);
  const isRecording = one.name === "window" && about.traits.form !== "forecasts";
  const control = choices
    ? el(
      "select",
      { id, "data-field": key, "aria-describedby": `${id}-about` },
      choices.map(([value, name]) => el("option", { value, selected: value === text && "selected" }, name)),
    )
    : el("input", {
      id,
      "data-field": key,
      "aria-describedby": `${id}-about`,
      value: text,
      placeholder: otherwise,
      inputmode: spec.type === "integer" ? "numeric" : spec.type === "number" ? "decimal" : undefined,
      autocomplete: "off",
      spellcheck: "false",
    });
  return el(
    "div",
    { class: "field" },
    el("label", { for: id }, isRecording ? "rows of a window" : one.name === "window" ? "rows a forecast sees" : label),
    control,
    el("p", { class: "about", id: `${id}-about` }, isRecording ? "cuts long recordings into sequences" : aboutOf(one)),
  );
}

function aboutOf({ flag, spec: { about } }: Field): string {
  return ABOUTS[flag] ?? about.replaceAll(/--([a-z-]+)( [A-Z]\w*)?/g, (_, flag) => labelOf(flag));
}

/** What may be chosen, with what people read: the first is that nothing is said. */
function choicesOf(
  { key, spec }: Field,
  about: About,
): (readonly [value: string, name: string])[] | undefined {
  const otherwise = about.defaults[key] ?? defaultOf(spec);
  if (key === "device.device") {
    return [["", "processor"], ...about.hasGpu ? [["webgpu", "graphics card (WebGPU): other bits"] as const] : []];
  }
  if (spec.type === "boolean") {
    return [["", otherwise ? `default: ${otherwise}` : "default"], ["yes", "yes"], ["no", "no"]];
  }
  if (spec.type !== "choice") return undefined;
  return [["", otherwise ? `default: ${otherwise}` : "default"], ...spec.choices!.map((one) => [one, one] as const)];
}

function defaultOf({ default: value, otherwise }: OptionSpec): string {
  if (value === undefined) return otherwise ?? "";
  return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
}

/** What a flag's field is called on the page, or where else it is asked. */
export function labelOf(flag: string): string {
  const found = [...FIELDS.values()].find((one) => one.flag === flag);
  return `“${found?.label ?? COLUMN_FLAGS[flag] ?? flag.replaceAll("-", " ")}”`;
}

/** Flags whose part the table of columns takes: the use that a column has there. */
const COLUMN_FLAGS: Readonly<Record<string, string>> = {
  "label-column": "label",
  "target-column": "to forecast",
  "sequence-column": "names the sequence",
  "time-column": "time",
  "feature-columns": "input",
  "text-column": "text",
  "group-column": "group",
  "weight-column": "weight",
  "source-column": "source",
};

/** Options as given options. */
export type Given = GivenOptions;
