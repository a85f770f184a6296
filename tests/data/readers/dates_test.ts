/** Dates as programs and people write them: a table's rows are in time, and its gaps are known, whatever the way. */

import assert from "node:assert/strict";
import { timeOfDay, timesIn } from "../../../core/data/readers/dates.ts";
import { type ReadOptions, readTable } from "../../../mod.ts";
import { input, read } from "./read.ts";

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
const two = (n: number) => String(n).padStart(2, "0");

/** A day, in the ways of Excel, R, pandas and people. */
const WAYS: Readonly<Record<string, (y: number, m: number, d: number, weekday: string) => string>> = {
  "2021-01-20": (y, m, d) => `${y}-${two(m)}-${two(d)}`,
  "2021/1/20": (y, m, d) => `${y}/${m}/${d}`,
  "2021-01-20T00:00:00Z": (y, m, d) => `${y}-${two(m)}-${two(d)}T00:00:00Z`,
  "20210120": (y, m, d) => `${y}${two(m)}${two(d)}`,
  "20/01/2021": (y, m, d) => `${two(d)}/${two(m)}/${y}`,
  "1/20/2021": (y, m, d) => `${m}/${d}/${y}`,
  "1/20/21 12:00 AM": (y, m, d) => `${m}/${d}/${two(y % 100)} 12:00 AM`,
  "20.1.2021": (y, m, d) => `${d}.${m}.${y}`,
  "20.01.21 00:00": (y, m, d) => `${two(d)}.${two(m)}.${two(y % 100)} 00:00`,
  "20-Jan-2021": (y, m, d) => `${d}-${MONTHS[m - 1]!.slice(0, 3)}-${y}`,
  "20 January 2021": (y, m, d) => `${d} ${MONTHS[m - 1]} ${y}`,
  "January 20, 2021": (y, m, d) => `"${MONTHS[m - 1]} ${d}, ${y}"`,
  "Wed Jan 20 2021": (y, m, d, weekday) => `${weekday.slice(0, 3)} ${MONTHS[m - 1]!.slice(0, 3)} ${d} ${y}`,
  "Wednesday, 20 Jan 2021": (y, m, d, weekday) => `"${weekday}, ${d} ${MONTHS[m - 1]!.slice(0, 3)} ${y}"`,
  "1611100800": (y, m, d) => String(Date.UTC(y, m - 1, d) / 1000),
  "1611100800000": (y, m, d) => String(Date.UTC(y, m - 1, d)),
};

/** Forty days from January 20, 2021, of which three are missing if that is asked for. */
function cells(way: string, hasGap = false): string[] {
  return Array.from({ length: 40 }, (_, i) => new Date(Date.UTC(2021, 0, 20 + i + (hasGap && i >= 15 ? 3 : 0)))).map(
    (day) => WAYS[way]!(day.getUTCFullYear(), day.getUTCMonth() + 1, day.getUTCDate(), DAYS[day.getUTCDay()]!),
  );
}

const table = async (name: string, head: string, rows: readonly string[]) =>
  await readTable(input(name, `${head}\n${rows.join("\n")}\n`));

Deno.test("the newest row may come first, and days may be missing, in whatever way dates are written", async () => {
  for (const way of Object.keys(WAYS)) {
    const falling = cells(way).map((cell, i) => `${cell},${i}.5`).toReversed();
    const turned = await table("sales.csv", "when,y", falling), y = turned.values.at(-1)!;
    assert.deepEqual([...y], Array.from({ length: 40 }, (_, i) => i + 0.5), way);
    assert.match(turned.notes!.join(), /column when falls from row to row: the rows are taken in reverse/, way);
    const broken = await table("sales.csv", "when,y", cells(way, true).map((cell, i) => `${cell},${i}.5`));
    assert.deepEqual(broken.breaks, [15], way);
    assert.equal(broken.stepsOf!(15), 4, way);
    assert.equal((await table("sales.csv", "when,y", cells(way).map((cell, i) => `${cell},${i}.5`))).breaks, undefined);
    // Two series one below the other.
    const both = [...cells(way), ...cells(way)].map((cell, i) => `${i < 40 ? "A" : "B"},${cell},${i}.5`);
    await assert.rejects(table("sales.csv", "store,when,y", both), /starts again in line 42 where column store/, way);
  }
});

Deno.test("months, quarters, weeks and years are times, and 30 days or 31 are no gap", async () => {
  const ways: Readonly<Record<string, (i: number) => string>> = {
    "Jan 2018": (i) => `${MONTHS[i % 12]!.slice(0, 3)} ${2018 + Math.floor(i / 12)}`,
    "Jan-18": (i) => `${MONTHS[i % 12]!.slice(0, 3)}-${18 + Math.floor(i / 12)}`,
    "2018-01": (i) => `${2018 + Math.floor(i / 12)}-${two(i % 12 + 1)}`,
    "01.02.2018": (i) => `01.${two(i % 12 + 1)}.${2018 + Math.floor(i / 12)}`,
    "2018-Q1": (i) => `${2000 + Math.floor(i / 4)}-Q${i % 4 + 1}`,
    "Q1 2018": (i) => `Q${i % 4 + 1} ${2000 + Math.floor(i / 4)}`,
    "2018-W05": (i) => `2018-W${two(i + 1)}`,
  };
  for (const [way, of] of Object.entries(ways)) {
    const rows = Array.from({ length: 40 }, (_, i) => `${of(i)},${i}`);
    const { values, breaks, notes } = await table("sales.csv", "when,y", rows.toReversed());
    assert.deepEqual([[...values.at(-1)!], breaks], [Array.from({ length: 40 }, (_, i) => i), undefined], way);
    assert.match(notes!.join(), /taken in reverse/, way);
  }
  const years = Array.from({ length: 20 }, (_, i) => `${2020 - i},${i}`);
  assert.deepEqual((await table("sales.csv", "Year,y", years)).values[1]![0], 19);
});

Deno.test("a date and a time of day may be in two columns; dates in no order and stacked series are told", async () => {
  const hours = Array.from({ length: 60 }, (_, i) => i + (i >= 40 ? 5 : 0));
  const rows = hours.map((h) => `2021-03-0${1 + Math.floor(h / 24)},${two(h % 24)}:00,${h}`);
  assert.deepEqual((await table("power.csv", "date,time,y", rows)).breaks, [40]);
  assert.deepEqual((await table("power.csv", "date,time,y", rows.toReversed())).values[0]![0], 0);
  const mixed = cells("2021-01-20").map((cell, i) => [cell, i * 17 % 40] as const).sort((a, b) => a[1] - b[1]);
  const plain = await table("mixed.csv", "when,y", mixed.map(([cell], i) => `${cell},${i}`));
  assert.match(plain.notes!.join(), /column when holds dates in no order.*as the time column it sorts them/);
  const named = { timeColumn: "when" }, text = `when,y\n${mixed.map(([cell], i) => `${cell},${i}`).join("\n")}\n`;
  const sorted = await readTable(input("mixed.csv", text), named);
  assert.deepEqual(sorted.texts!.get("when"), cells("2021-01-20"));
  const stacked = Array.from({ length: 40 }, (_, i) => `${i < 20 ? "A" : "B"},${i}`);
  assert.match(
    (await table("s.csv", "store,y", stacked)).notes!.join(),
    /column store changes at line 22: if these are/,
  );
  const kinds = Array.from({ length: 40 }, (_, i) => `${"ABA"[Math.floor(i / 14)]},${i}`);
  assert.deepEqual((await table("s.csv", "weather,y", kinds)).notes, []);
});

Deno.test("what is no date is none, and one cell that is not decides for all", () => {
  const none = ["13/13/2021", "31.02.2021", "Foo 2021", "2021-Q5", "1/2", "20 Brumaire 2021", "12:30"];
  for (const cell of none) assert.equal(timesIn([cell, cell]), undefined, cell);
  assert.equal(timesIn(["1/2/2021", "soon"]), undefined);
  assert.deepEqual(timesIn(["1/2/2021", "31/1/2021"])?.[0], Date.UTC(2021, 1, 1));
  assert.deepEqual(timesIn(["1/2/2021", "1/31/2021"])?.[0], Date.UTC(2021, 0, 2));
  // Either way is a date: the one with even steps.
  assert.deepEqual(
    timesIn(["1/1/2021", "2/1/2021", "3/1/2021"]),
    Float64Array.of(...[1, 2, 3].map((d) => Date.UTC(2021, 0, d))),
  );
  assert.deepEqual(
    ["0:00", "12:00 am", "12:30 PM", "1:05:30.5 p.m.", "23:59"].map(timeOfDay),
    [0, 0, 45_000_000, 47_130_500, 86_340_000],
  );
  assert.deepEqual(["24:61", "13:00 PM", "0:00 am", "noon"].map(timeOfDay), [
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

Deno.test("the steps of long sequences are in time, and their gaps known, in whatever way dates are written", async () => {
  const options: ReadOptions = {
    sequenceColumn: "id",
    timeColumn: "when",
    labelColumns: ["label"],
    labelsPerRow: true,
  };
  const rows = (id: string, days: readonly string[]) => days.map((day, i) => `${id},${day},${i},u`);
  const long = async (rows: readonly string[], more: ReadOptions = {}) =>
    await read("long.csv", `id,when,x,label\n${rows.join("\n")}\n`, { ...options, ...more });
  for (const way of Object.keys(WAYS)) {
    const [first, second] = await long([...rows("a", cells(way)), ...rows("b", cells(way, true))]);
    assert.deepEqual([first!.breaks, second!.breaks, second!.steps], [undefined, [15], 40], way);
    const falling = [...rows("a", cells(way)), ...rows("b", cells(way).toReversed())];
    await assert.rejects(long(falling), /line 43, column when: the time goes back, to "/, way);
    const bad = rows("a", cells(way)).with(20, "a,soon,5,u");
    await assert.rejects(
      long(bad),
      /line 22, column when must be at a time written as those before it, got "soon"/,
      way,
    );
    // One that cannot be read does not change how the others are.
    const [, other] = await long([...bad, ...rows("b", cells(way, true))], { faults: true });
    assert.deepEqual(other!.breaks, [15], way);
    const series = cells(way).map((cell, i) => `${i === 20 ? "soon" : cell},${i}`);
    const table = readTable(input("t.csv", `when,y\n${series.join("\n")}\n`), { timeColumn: "when" });
    await assert.rejects(table, /line 22, column when must be at a time written as those before it, got "soon"/, way);
  }
  // Which number is the month is told by another sequence, or by what rises.
  await assert.rejects(
    long([...rows("a", ["13/1/2021", "14/1/2021"]), ...rows("b", ["1/3/2021", "2/1/2021"])]),
    /line 5, column when: the time goes back/,
  );
  await long([...rows("a", ["1/3/2021", "2/1/2021"]), ...rows("b", ["1/13/2021", "2/1/2021"])]);
  await assert.rejects(
    long([...rows("a", ["1/3/2021", "2/1/2021"]), ...rows("b", ["13/1/2021", "14/1/2021"])]),
    /line 4, column when must be at a time written as those before it/,
  );
});
