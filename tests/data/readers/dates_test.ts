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

Deno.test("clocks of any unit, zones, counts of rows and a column for each part of a date are times", async () => {
  const count = Array.from({ length: 40 }, (_, i) => i), start = Date.UTC(2021, 2, 1);
  const zone = (i: number) => i < 20 ? "CET" : "CEST", hour = (i: number) => start + 3_600_000 * i;
  const local = (i: number, hours: number) => new Date(hour(i + hours)).toISOString().slice(0, 19).replace("T", " ");
  const ways: Readonly<Record<string, readonly [string, (i: number) => string]>> = {
    microseconds: ["u", (i) => `${1000 * hour(i)}`],
    nanoseconds: ["u", (i) => `${hour(i)}000000`],
    "halves of seconds": ["u", (i) => `${hour(i) / 1000 + 0.5}`],
    "names of zones": ["when", (i) => `${local(i, i < 20 ? 1 : 2)} ${zone(i)}`],
    "offsets in hours": ["when", (i) => `${local(i, i < 20 ? 1 : 2)}+0${i < 20 ? 1 : 2}`],
    "programs' dates": ["when", (i) => new Date(hour(i)).toUTCString().replace(",", "") + "+0000 (Somewhere)"],
    months: ["period", (i) => `${2018 + Math.floor(i / 12)}${two(i % 12 + 1)}`],
    rows: ["index", String],
    "unnamed rows": ["", String],
    seconds: ["seconds", (i) => `${i / 10}`],
    parts: ["year,month,day,hour", (i) => `2021,3,${1 + Math.floor(i / 24)},${i % 24}`],
    "days and hours": ["date,hour", (i) => `2021-03-0${1 + Math.floor(i / 24)},${i % 24}`],
  };
  for (const [way, [head, of]] of Object.entries(ways)) {
    const rows = count.map((i) => `${of(i)},${i}.5`), rest = rows.filter((_, i) => i < 10 || i >= 15);
    const turned = await table("a.csv", `${head},y`, rows.toReversed());
    assert.deepEqual([...turned.values.at(-1)!], count.map((i) => i + 0.5), way);
    assert.match(turned.notes!.join(), /falls from row to row: the rows are taken in reverse/, way);
    const broken = await table("a.csv", `${head},y`, rest);
    assert.deepEqual([broken.breaks, Math.round(broken.stepsOf!(10))], [[10], 6], way);
    assert.deepEqual((await table("a.csv", `${head},y`, rows)).notes, [], way);
  }
  // Parts of a date that come again, and what is only called t.
  for (const [head, of] of [["month", (i: number) => i % 12 + 1], ["t", (i: number) => i * 17 % 23]] as const) {
    const { values, notes, breaks } = await table("a.csv", `${head},y`, count.map((i) => `${of(i)},${i}.5`));
    assert.deepEqual([[...values[1]!], notes, breaks], [count.map((i) => i + 0.5), [], undefined], head);
  }
});

Deno.test("dates of which some are missing tell the order, dates that are not understood are named", async () => {
  const dates = cells("2021-01-20"), y = (i: number) => `${i}.5`;
  for (const none of ["", "unknown", "NaT"]) {
    const rows = dates.map((date, i) => `${i % 9 === 4 ? none : date},${y(i)}`);
    const { values, notes } = await table("a.csv", "date,y", rows.toReversed());
    assert.deepEqual(values[0]![0], 0.5);
    assert.match(
      notes!.join("\n"),
      /date falls .* reverse.*\n.*date holds no date in 4 rows, the first line \d+: gaps of/s,
    );
    const rising = await table("a.csv", "date,y", rows);
    assert.match(rising.notes!.join(), /^a.csv: column date holds no date in 4 rows/);
  }
  const mixed = dates.map((date, i) => `${i < 20 ? date : cells("20/01/2021")[i]},${y(i)}`);
  assert.match((await table("a.csv", "date,y", mixed)).notes!.join(), /date is no time that is understood in all rows/);
  const coarse = dates.map((_, i) => `${dates[i >> 2]},${y(i)}`);
  assert.match((await table("a.csv", "date,y", coarse)).notes!.join(), /several rows for a time, first at line 3: if/);
});

Deno.test("series are told by numbers too, and by several columns together", async () => {
  const dates = cells("2021-01-20"),
    rows = (of: (id: number, day: number) => string, ids: number, beside: boolean) =>
      Array.from(
        { length: 40 * ids },
        (_, i) => beside ? of(i % ids, Math.floor(i / ids)) : of(Math.floor(i / 40), i % 40),
      );
  const number = (id: number, day: number) => `${id + 1},${dates[day]},${id}.5`;
  const both = (id: number, day: number) => `${"ABAB"[id]},${"mmff"[id]},${dates[day]},${id}.5`;
  const refusals: readonly [string, readonly string[], RegExp][] = [
    ["shop,ds,y", rows(number, 3, true), /several rows for a time, which column shop tells apart: these are 3 series/],
    ["shop,ds,y", rows(number, 3, false), /starts again in line 42 where column shop changes: these are 3 series/],
    [
      "land,sex,ds,y",
      rows(both, 4, true),
      /which columns land and sex tell apart: these are 4 series.* each land and sex/,
    ],
    ["land,sex,ds,y", rows(both, 4, false), /line 42 where columns land and sex change: these are 4 series/],
  ];
  for (const [head, lines, message] of refusals) await assert.rejects(table("a.csv", head, lines), message);
  const later = rows(
    (id, day) => `${id + 1},${new Date(Date.UTC(2021, 0, 1 + 40 * id + day)).toISOString()},${id}.5`,
    3,
    false,
  );
  assert.match(
    (await table("a.csv", "shop,ds,y", later)).notes!.join(),
    /column shop changes at line 42: if these are/,
  );
});

Deno.test("a clock that is set back is a break", async () => {
  const at = (i: number) => new Date(Date.UTC(2024, 9, 27) + 900_000 * (i < 12 ? i : i - 4)).toISOString().slice(0, 16);
  const rows = Array.from({ length: 60 }, (_, i) => `${at(i).replace("T", " ")},${i}.5`);
  const { breaks, notes, values } = await table("a.csv", "time,y", rows);
  assert.deepEqual([breaks, values[0]![30]], [[12], 30.5]);
  assert.match(
    notes!.join(),
    /time goes back by 45 minutes at line 14, as a clock that is set back: no window reaches/,
  );
  // By another amount it is an error still.
  const back = rows.map((row, i) => i < 30 ? row : `${at(i - 10).replace("T", " ")},${i}.5`);
  await assert.rejects(table("a.csv", "time,y", back), /column time: the time goes back/);
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
