/**
 * Weka's `.arff`: a row of numbers is a sequence, or, as in the UEA archive, one relational attribute holds it, a
 * dimension a line. The label is an attribute.
 *
 * @module
 */

import { badFile, bare, show } from "./bad_data.ts";
import { checkNames, findColumn, guessLabel } from "./columns.ts";
import { Names } from "./decimals.ts";
import { ended } from "./ends.ts";
import { faulty } from "./faults.ts";
import type { Lines } from "./lines.ts";
import { NumberFormat } from "./number_format.ts";
import { isNoLabel } from "./numbers.ts";
import { lasting } from "./reading.ts";
import type { Input, ReadOptions, RecordSource, SequenceRecord } from "./record.ts";

/** An attribute: a column of the data. */
interface Attribute {
  readonly name: string;
  readonly type: "number" | "nominal" | "relational" | "other";
  /** Names of the classes of a nominal one. */
  readonly classes?: Names;
  /** Attributes within a relational one. */
  inner?: number;
}

/** What becomes of a row. */
interface Layout {
  readonly attributes: readonly Attribute[];
  readonly features: readonly number[];
  readonly labels: readonly number[];
}

const ESCAPES: ReadonlyMap<string, string> = new Map([["n", "\n"], ["t", "\t"], ["r", "\r"]]);

/** The end of the quoted text that begins at a place, after the mark; -1 where there is none. */
function endOfQuoted(text: string, start: number): number {
  const quote = text[start];
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === quote) return i + 1;
  }
  return -1;
}

function unquote(text: string): string {
  if (text[0] !== "'" && text[0] !== '"') return text;
  const inside = text.slice(1, -1);
  return inside.includes("\\") ? inside.replaceAll(/\\(.)/gs, (_, one) => ESCAPES.get(one) ?? one) : inside;
}

/** The cells of a row, quotes taken off; undefined where a quote is wrong. */
function cellsOf(line: string): string[] | undefined {
  if (!/['"]/.test(line)) {
    const comment = line.indexOf("%"), text = comment < 0 ? line : line.slice(0, comment).trimEnd();
    return text.includes(",") ? text.split(",").map((cell) => cell.trim()) : text.trim().split(/\s+/);
  }
  const cells: string[] = [];
  for (let at = 0; at <= line.length;) {
    while (line[at] === " " || line[at] === "\t") at++;
    if (line[at] === "'" || line[at] === '"') {
      const end = endOfQuoted(line, at);
      if (end < 0) return undefined;
      cells.push(unquote(line.slice(at, end)));
      at = end;
      while (line[at] === " " || line[at] === "\t") at++;
      if (at < line.length && line[at] !== ",") return undefined;
    } else {
      const comma = line.indexOf(",", at), end = comma < 0 ? line.length : comma;
      cells.push(line.slice(at, end).trim());
      at = end;
    }
    at++;
  }
  return cells;
}

function attributeOf(file: string, at: string, text: string): Attribute {
  const quoted = text[0] === "'" || text[0] === '"';
  const end = quoted ? endOfQuoted(text, 0) : text.search(/[\s{]|$/);
  if (end < 1) throw badFile("file-malformed", file, `${at}: @attribute must have a name, got ${show(text)}`);
  const name = unquote(text.slice(0, end)), type = text.slice(end).trim();
  if (type.startsWith("{")) {
    const cells = type.endsWith("}") ? cellsOf(type.slice(1, -1)) : undefined;
    if (!cells) {
      throw badFile("file-malformed", file, `${at}: the classes of ${bare(name)} must be in { }, got ${show(type)}`);
    }
    return { name, type: "nominal", classes: new Names(cells) };
  }
  switch (type.split(/\s/)[0]!.toLowerCase()) {
    case "numeric":
    case "real":
    case "integer":
      return { name, type: "number" };
    case "relational":
      return { name, type: "relational", inner: 0 };
    case "string":
    case "date":
      return { name, type: "other" };
    default:
      throw badFile("file-malformed", file, `${at}: attribute ${bare(name)} has an unknown type, ${show(type)}`);
  }
}

async function readHead(lines: Lines): Promise<Attribute[]> {
  const attributes: Attribute[] = [], { name: file } = lines;
  let relation: Attribute | undefined, isEmpty = true;
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    const text = line.trim(), at = `line ${lines.number}`;
    if (text === "") continue;
    isEmpty = false;
    if (text[0] === "%") continue;
    const end = text.search(/\s|$/), key = text.slice(0, end), rest = text.slice(end).trimStart();
    switch (key.toLowerCase()) {
      case "@relation":
        break;
      case "@attribute": {
        const attribute = attributeOf(file, at, rest);
        if (!relation) attributes.push(attribute);
        else if (attribute.type === "number") relation.inner!++;
        else {throw badFile(
            "column-type",
            file,
            `${at}: attribute ${bare(attribute.name)}, within ${bare(relation.name)}, must be numeric`,
          );}
        if (attribute.type === "relational") relation = attribute;
        break;
      }
      case "@end":
        if (!relation) throw badFile("file-malformed", file, `${at}: @end ends no relational attribute`);
        relation = undefined;
        break;
      case "@data":
        if (relation) {
          throw badFile("file-malformed", file, `${at}: @end ${bare(relation.name)} must come before @data`);
        }
        checkNames(file, lines.number, attributes.map(({ name }) => name));
        return attributes;
      default:
        throw badFile("file-malformed", file, `${at} must be @relation, @attribute or @data, got ${show(text)}`);
    }
  }
  throw badFile("file-malformed", file, isEmpty ? "the file is empty" : "there is no @data line");
}

function layOut(file: string, attributes: readonly Attribute[], input: Input, options: ReadOptions): Layout {
  const names = attributes.map(({ name }) => name), last = attributes.length - 1;
  let labels: number[];
  if (options.labelColumns) {
    const wanted = options.optionalLabels
      ? options.labelColumns.filter((one) => /^-?\d+$/.test(String(one)) || names.includes(String(one)))
      : options.labelColumns;
    labels = wanted.map((column) => findColumn(file, names, column, "labelColumns"));
  } else {
    const guess = attributes[last]?.type === "nominal" ? last : guessLabel(names);
    if (guess === undefined && !options.optionalLabels && input.label === undefined) {
      throw badFile(
        "label-column-unknown",
        file,
        "the last attribute is no class, and none is called label, class, y or target",
        { option: "labelColumns", advice: "name it (labelColumns)" },
      );
    }
    labels = guess === undefined ? [] : [guess];
  }
  const areLabels = new Set(labels);
  const features = options.featureColumns
    ? options.featureColumns.map((column) => findColumn(file, names, column, "featureColumns"))
    : names.map((_, i) => i).filter((i) => !areLabels.has(i));
  const both = features.find((i) => areLabels.has(i));
  if (both !== undefined) {
    throw badFile("column-conflict", file, `attribute ${bare(names[both]!)} is asked for as label and as feature`, {
      column: names[both]!,
    });
  }
  if (!features.length) throw badFile("file-without-numbers", file, "there is no attribute of numbers");
  const relational = features.some((i) => attributes[i]!.type === "relational");
  for (const i of features) {
    const { name, type } = attributes[i]!;
    if (relational && features.length > 1) {
      throw badFile("column-type", file, `attribute ${bare(name)} does not fit beside others`, {
        column: name,
        option: "featureColumns",
        advice: "a relational one must be alone (featureColumns)",
      });
    }
    if (type !== "number" && type !== "relational") {
      throw badFile("column-type", file, `attribute ${bare(name)} must be numeric`, {
        column: name,
        option: "featureColumns",
        advice: "say which ones to take (featureColumns)",
      });
    }
  }
  return { attributes, features, labels };
}

/** Reads sequences from `.arff` text. */
export async function readArff(lines: Lines, input: Input, options: ReadOptions): Promise<RecordSource> {
  const attributes = await readHead(lines), layout = layOut(lines.name, attributes, input, options);
  const taken = new Set([...layout.features, ...layout.labels]);
  return {
    format: "arff",
    ...attributes[layout.features[0]!]!.type === "number" && {
      stepNames: layout.features.map((i) => attributes[i]!.name),
    },
    ...options.featureColumns && {
      extraNames: attributes.map(({ name }) => name).filter((_, i) => !taken.has(i)),
    },
    ...layout.labels.length && { labelNames: layout.labels.map((i) => attributes[i]!.name) },
    reading: lasting("arff", {
      ...options,
      labelColumns: layout.labels.map((i) => attributes[i]!.name),
      // Names of steps tell.
      ...attributes[layout.features[0]!]!.type === "number" && { featureColumns: undefined },
    }),
    records: records(lines, layout, options),
  };
}

async function* records(
  lines: Lines,
  { attributes, features, labels }: Layout,
  options: ReadOptions,
): AsyncGenerator<SequenceRecord, void> {
  const format = new NumberFormat(lines.name, { missingValues: options.missingValues, decimal: "." });
  const { name } = lines,
    needsLabels = !options.optionalLabels,
    relation = attributes[features[0]!]!.type === "relational" ? features[0]! : undefined;
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    const text = line.trim();
    if (text === "" || text[0] === "%") continue;
    try {
      yield recordOf(text);
    } catch (error) {
      yield faulty(error, options, `${name}, line ${lines.number}`);
    }
  }

  function recordOf(text: string): SequenceRecord {
    const at = `line ${lines.number}`;
    if (text[0] === "{") throw badFile("file-unsupported", name, `${at} is sparse, in { }: write the rows out in full`);
    const cells = cellsOf(text);
    if (!cells) {
      throw badFile("file-malformed", name, `${at} has a quotation mark in the wrong place, or without its second`);
    }
    const weight = cells.length === attributes.length + 1 && /^\{.*\}$/.test(cells.at(-1)!)
      ? weightOf(name, format, at, cells.pop()!.slice(1, -1))
      : undefined;
    if (cells.length !== attributes.length) {
      throw badFile("row-width", name, `${at} must have ${attributes.length} columns, got ${cells.length}`);
    }
    const found = labels.map((i) => cells[i]!), none = found.findIndex(isNoLabel);
    if (none >= 0 && needsLabels) {
      throw badFile("label-missing", name, `${at}, column ${bare(attributes[labels[none]!]!.name)} has no label`);
    }
    for (const [k, label] of found.entries()) {
      const { name: column, classes } = attributes[labels[k]!]!;
      if (classes && !isNoLabel(label) && classes.find(label) === undefined) {
        throw badFile(
          "file-malformed",
          name,
          `${at}, column ${bare(column)} must be one of its classes, got ${show(label)}`,
        );
      }
    }
    const column = (i: number) => `column ${bare(attributes[features[i]!]!.name)}`;
    const numbers = relation === undefined
      ? series(format, at, features.map((i) => cells[i]!), column)
      : dimensions(name, format, at, cells[relation]!, attributes[relation]!.inner!);
    return ended({
      ...numbers,
      ...found.length && none < 0 && { labels: found },
      ...weight !== undefined && { weight },
      place: `${name}, ${at}`,
    }, (t, c) => `${at}, ${relation === undefined ? column(t) : inDimension(c, t)}`);
  }
}

/** The numbers of one record, and where the first is missing. */
type Numbers = Pick<SequenceRecord, "values" | "steps" | "channels" | "missing">;

function series(format: NumberFormat, at: string, cells: readonly string[], column: (i: number) => string): Numbers {
  const values = new Float64Array(cells.length);
  let missing: string | undefined;
  for (const [i, cell] of cells.entries()) {
    const value = format.read(cell);
    if (value === undefined) throw format.bad(`${at}, ${column(i)}`, cell);
    if (value !== value) missing ??= `${at}, ${column(i)}`;
    values[i] = value;
  }
  return { values, steps: cells.length, channels: 1, ...missing !== undefined && { missing } };
}

const inDimension = (c: number, t: number) => `dimension ${c + 1}, value ${t + 1}`;

function dimensions(file: string, format: NumberFormat, at: string, text: string, steps: number): Numbers {
  const rows = text.replace(/\n$/, "").split("\n"), channels = rows.length;
  const cellsOf = (c: number) => {
    const cells = rows[c]!.split(",");
    if (cells.length === steps) return cells;
    throw badFile("row-width", file, `${at}, dimension ${c + 1} must have ${steps} values, got ${cells.length}`);
  };
  // A text holds no more values than characters and one: where it would, some dimension is too short.
  if (steps * channels > text.length + 1) rows.forEach((_, c) => cellsOf(c));
  const values = new Float64Array(steps * channels);
  let missing: string | undefined;
  for (let c = 0; c < channels; c++) {
    const one = series(format, at, cellsOf(c), (t) => inDimension(c, t));
    missing ??= one.missing;
    for (let t = 0; t < steps; t++) values[t * channels + c] = one.values![t]!;
  }
  return { values, steps, channels, ...missing !== undefined && { missing } };
}

function weightOf(file: string, format: NumberFormat, at: string, cell: string): number {
  const weight = format.read(cell);
  if (weight === undefined || !(weight > 0)) {
    throw badFile("weight-out-of-range", file, `${at} must have a weight above 0, got ${show(cell)}`, { value: cell });
  }
  return weight;
}
