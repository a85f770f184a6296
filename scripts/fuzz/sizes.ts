/**
 * Files that grow in one way each: how the time of a reader grows with them. Linear is a slope of 1 in logarithms; what
 * goes over a run again for each of its characters is one of 2.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import { type ReadOptions, readRecords, readTable } from "../../mod.ts";

/** A file of a size, about. */
interface Growing {
  readonly name: string;
  readonly what: string;
  readonly options?: ReadOptions;
  /** Whether it is read as a table of series. */
  readonly isTable?: boolean;
  /** Its text, of so many characters or so. */
  readonly text: (size: number) => string;
}

const many = (count: number, of: (i: number) => string, between = ",") =>
  Array.from({ length: count }, (_, i) => of(i)).join(between);
const lines = (count: number, of: (i: number) => string) => many(count, of, "\n");

/** What may stand in a cell in any number. */
const RUNS: readonly (readonly [string, string])[] = [
  ["blanks", " "],
  ["digits", "7"],
  ["zeros", "0"],
  ["letters", "x"],
  ["points", "."],
  ["commas", ","],
  ["quotes", '"'],
  ["brackets", "["],
  ["braces", "{"],
  ["parentheses", "("],
  ["colons", ":"],
  ["backslashes", "\\"],
  ["percents", "%"],
  ["tabs", "\t"],
  ["line ends", "\n"],
  ["signs", "-"],
  ["groups", "1,234,"],
  ["separators", "\u2028"],
];

/** A run within a value of each format, and at the end of the line. */
const FRAMES: readonly { name: string; options?: ReadOptions; isTable?: boolean; text: (run: string) => string }[] = [
  { name: "a.csv", text: (run) => `p,q,label\n1,2,a\n2,1,b\n${run}x,1,a\n` },
  { name: "label.csv", text: (run) => `p,label\n1,a\n2,b${run}x\n` },
  { name: "head.csv", text: (run) => `p${run}x,label\n1,a\n2,b\n` },
  { name: "semicolon.csv", text: (run) => `p;q;label\n1,5;2;a\n2;1${run}x;b\n` },
  {
    name: "time.csv",
    options: { sequenceColumn: "id", timeColumn: "t" },
    text: (run) => `id,t,v,label\na,1,2,x\na,2020-01${run}x,2,x\nb,1,3,y\n`,
  },
  {
    name: "day.csv",
    options: { sequenceColumn: "id", timeColumn: "t" },
    text: (run) => `id,t,v,label\na,2020-01-02 ${run}x,2,x\n`,
  },
  { name: "series.csv", isTable: true, text: (run) => `d,v\n2020-01-01,1\n2020-01-02,${run}x\n` },
  {
    name: "name.arff",
    text: (run) => `@relation r\n@attribute${run}a\u2028b numeric\n@attribute c {x,y}\n@data\n1,x\n2,y\n`,
  },
  {
    name: "row.arff",
    text: (run) => `@relation r\n@attribute a numeric\n@attribute c {x,y}\n@data\n1,x\n${run}2,y ${run}z\n`,
  },
  { name: "head.ts", text: (run) => `@problemName a\n@classLabel true${run}a b\n@data\n1,2:a\n2,3:b\n` },
  { name: "row.ts", text: (run) => `@timeStamps false\n@classLabel true a b\n@data\n1,2${run}:a\n2,3:b\n` },
  { name: "stamps.ts", text: (run) => `@timeStamps true\n@classLabel true a b\n@data\n(1,2)${run},(2,3):a\n` },
  { name: "a.json", text: (run) => `[{"x":[1,2],"y":"a"},{"x":[1,${run}2],"y":"b"}]` },
  { name: "text.json", text: (run) => `[{"x":${JSON.stringify(run)},"y":"a"},{"x":"b","y":"b"}]` },
  { name: "a.jsonl", text: (run) => `{"x":[1,2],"y":"a"}\n{"x":[1,${run}2],"y":"b"}\n` },
  { name: "ucr.txt", options: { format: "ucr" }, text: (run) => `1 2 3\n2 3${run} 4\n` },
  { name: "ucr.tsv", options: { format: "ucr" }, text: (run) => `1\t2\t3\n2\t3${run}\t4\n` },
  { name: "text.txt", options: { format: "text" }, text: (run) => `good film\tyes\nbad${run} film\tno\n` },
];

const runs: Growing[] = FRAMES.flatMap(({ name, options, isTable, text }) =>
  RUNS.map(([what, one]) => ({
    name,
    what: `a run of ${what}`,
    options,
    isTable,
    text: (size: number) => text(one.repeat(Math.ceil(size / one.length))),
  }))
);

const names = (count: number) => many(count, (i) => `c${i}`);

/** Many of what a file has some of. */
const COUNTS: readonly Growing[] = [
  {
    name: "a.csv",
    what: "columns",
    text: (n) => `${names(n / 8)},label\n${many(n / 8, String)},a\n${many(n / 8, () => "2")},b\n`,
  },
  {
    name: "a.csv",
    what: "columns without a name",
    text: (n) => `p,label${",".repeat(n / 2)}\n1,a${",".repeat(n / 2)}\n`,
  },
  { name: "a.csv", what: "rows", text: (n) => `p,q,label\n${lines(n / 8, (i) => `${i % 9},${i % 7},a`)}\n` },
  { name: "a.csv", what: "classes", text: (n) => `p,q,label\n${lines(n / 12, (i) => `1,2,c${i}`)}\n` },
  {
    name: "a.csv",
    what: "rows with quotes within",
    text: (n) => `p,label\n${lines(n / 10, (i) => `${i % 9},"a""b"`)}\n`,
  },
  { name: "a.csv", what: "rows of nothing", text: (n) => `p,label\n${",\n".repeat(n / 3)}1,a\n` },
  { name: "a.csv", what: "missing values", text: (n) => `p,q,label\n${lines(n / 8, () => "NA,?,a")}\n` },
  {
    name: "long.csv",
    what: "steps",
    options: { sequenceColumn: "id" },
    text: (n) => `id,v,label\n${lines(n / 8, (i) => `a,${i % 9},x`)}\n`,
  },
  {
    name: "long.csv",
    what: "sequences",
    options: { sequenceColumn: "id" },
    text: (n) => `id,v,label\n${lines(n / 12, (i) => `s${i},${i % 9},x`)}\n`,
  },
  {
    name: "series.csv",
    what: "rows",
    isTable: true,
    text: (n) => `v,w\n${lines(n / 6, (i) => `${i % 9},${i % 7}`)}\n`,
  },
  { name: "series.csv", what: "rows of nothing", isTable: true, text: (n) => `v,w\n1,2\n${",\n".repeat(n / 2)}1,2\n` },
  { name: "series.csv", what: "columns", isTable: true, text: (n) => `${names(n / 8)}\n${many(n / 8, () => "1")}\n` },
  {
    name: "a.arff",
    what: "attributes",
    text: (n) =>
      `@relation r\n${lines(n / 24, (i) => `@attribute a${i} numeric`)}\n@attribute c {x,y}\n@data\n${
        many(n / 24, () => "1")
      },x\n`,
  },
  {
    name: "a.arff",
    what: "classes",
    text: (n) =>
      `@relation r\n@attribute a numeric\n@attribute c {${names(n / 14)}}\n@data\n${lines(n / 14, (i) => `1,c${i}`)}\n`,
  },
  {
    name: "a.ts",
    what: "classes",
    text: (n) => `@classLabel true ${many(n / 14, (i) => `c${i}`, " ")}\n@data\n${lines(n / 14, (i) => `1,2:c${i}`)}\n`,
  },
  { name: "a.ts", what: "dimensions", text: (n) => `@classLabel true a\n@data\n${many(n / 4, () => "1,2", ":")}:a\n` },
  {
    name: "a.ts",
    what: "stamps",
    text: (n) => `@timeStamps true\n@classLabel true a\n@data\n${many(n / 8, (i) => `(${i},2)`)}:a\n`,
  },
  { name: "a.json", what: "records", text: (n) => `[${many(n / 20, () => '{"x":[1,2],"y":"a"}')}]` },
  { name: "a.json", what: "steps", text: (n) => `[{"x":[${many(n / 6, () => "[1,2]")}],"y":"a"}]` },
  { name: "a.jsonl", what: "records", text: (n) => lines(n / 20, () => '{"x":[1,2],"y":"a"}') },
  { name: "a.jsonl", what: "labels", text: (n) => `{"x":[1],"y":[${many(n / 8, (i) => `"c${i}"`)}]}` },
  { name: "text.txt", what: "tabs", options: { format: "text" }, text: (n) => `${"a\t".repeat(n / 2)}b\n` },
  { name: "text.txt", what: "lines", options: { format: "text" }, text: (n) => lines(n / 8, (i) => `a ${i % 9}\tb`) },
  { name: "ucr.txt", what: "values", options: { format: "ucr" }, text: (n) => many(n / 2, () => "1", " ") },
];

/** Milliseconds of computing that a file takes, whatever becomes of it: other programs do not count. */
async function timeOf({ name, options, isTable }: Growing, bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  const input = { name, stream: () => new Blob([bytes]).stream() }, start = cpuUsage();
  try {
    if (isTable) await readTable(input, options);
    else for await (const _ of (await readRecords(input, options)).records);
  } catch { /* Refused is as good, if it is soon. */ }
  return cpuUsage(start).user / 1000;
}

/** How the time of a reader grows. */
export interface Slope {
  readonly name: string;
  readonly what: string;
  /** Of the logarithm of the time over that of the size; undefined where all of it takes no time. */
  readonly slope: number | undefined;
  /** Bytes and milliseconds of the largest. */
  readonly bytes: number;
  readonly ms: number;
}

/** Times below are of no size. */
const LEAST_MS = 20;

/** The slope of a line through points, by least squares. */
export function fitted(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (of: (point: readonly [number, number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const x = mean(([x]) => x), y = mean(([, y]) => y);
  return mean((point) => (point[0] - x) * (point[1] - y)) / mean((point) => (point[0] - x) ** 2);
}

/** One way to grow, measured with files that double up to so many bytes, or until one takes two seconds. */
async function measure(growing: Growing, most: number): Promise<Slope> {
  const points: [number, number][] = [];
  let bytes = new Uint8Array(), ms = 0;
  for (let size = most / 64; size <= most && ms < 2000; size *= 2) {
    bytes = new TextEncoder().encode(growing.text(size));
    ms = Math.min(await timeOf(growing, bytes), await timeOf(growing, bytes));
    if (ms >= LEAST_MS) points.push([Math.log(bytes.length), Math.log(ms)]);
  }
  const slope = points.length > 1 ? fitted(points) : undefined;
  return { name: growing.name, what: growing.what, slope, bytes: bytes.length, ms };
}

/** How often a slope that is too steep is measured: what disturbs few short times does not do so again. */
const TIMES = 4;

/** The slope of every way to grow; of one that is too steep, the least of several. */
export async function* slopes(most: number, steepest: number): AsyncGenerator<Slope> {
  for (const growing of [...runs, ...COUNTS]) {
    let found = await measure(growing, most);
    for (let i = 1; i < TIMES && (found.slope ?? 0) > steepest; i++) {
      const again = await measure(growing, 2 * most);
      if ((again.slope ?? Infinity) < found.slope!) found = again;
    }
    yield found;
  }
}
