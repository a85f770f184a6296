/** Records that may not be what they are taken for. */

import assert from "node:assert/strict";
import { recordRemarks } from "../../core/job/record_remarks.ts";
import { Columns } from "../../core/data/records.ts";
import { type ReadOptions, readRecords } from "../../mod.ts";

async function remarks(name: string, text: string, options: ReadOptions = {}): Promise<string[]> {
  const source = await readRecords({ name, stream: () => new Blob([text]).stream() }, options),
    records = Columns.empty();
  for await (const record of source.records) records.push(record);
  const { labelNames, channelNames, stepNames, reading } = source;
  const loaded = { records, files: [], hasTest: false, notes: [], labelNames, channelNames, stepNames, reading };
  return recordRemarks(loaded, name);
}

const rows = (head: string, count: number, row: (n: number) => string) =>
  [head, ...Array.from({ length: count }, (_, n) => row(n))].filter((line) => line).join("\n");

Deno.test("a channel that says who was recorded is named", async () => {
  const long = (person: (n: number) => number) =>
    rows("id,label,person,a", 60, (n) => `r${n / 6 | 0},${(n / 6 | 0) % 2},${person(n)},${n * 7 % 5}`);
  const options = { sequenceColumn: "id" };
  const found = await remarks("a.csv", long((n) => n / 12 | 0), options);
  assert.match(found.join(), /^column person never changes within a sequence: .*--feature-columns.*--group-column/);
  assert.deepEqual(await remarks("a.csv", long((n) => n), options), []);
  assert.deepEqual(await remarks("a.csv", long(() => 3), options), []);
});

Deno.test("labels that stay the same for rows at a time are those of a recording", async () => {
  const wide = (label: (n: number) => string) => rows("a,b,label", 120, (n) => `${n},${n * 7 % 5},${label(n)}`);
  const found = await remarks("a.csv", wide((n) => ["sit", "walk"][(n / 12 | 0) % 2]!));
  assert.match(
    found.join(),
    /^label stays the same for 12 rows in the mean, 10 times: if a row is a step of a recording/,
  );
  // Sorted by class, or in any order.
  assert.deepEqual(await remarks("a.csv", wide((n) => n < 60 ? "sit" : "walk")), []);
  assert.deepEqual(await remarks("a.csv", wide((n) => n * 7 % 5 < 2 ? "sit" : "walk")), []);
});

Deno.test("labels that are nearly alike are named, and labels before their texts refused", async () => {
  const labels = ["True", "true", "no"], text = rows("", 30, (n) => `some text ${n}\t${labels[n % 3]}`);
  assert.match((await remarks("a.txt", text)).join(), /^labels "True" and "true" differ in how they are written alone/);
  const turned = rows("", 30, (n) => `${["ham", "spam"][n % 2]}\tsome text ${n}`);
  await assert.rejects(
    remarks("a.txt", turned),
    /one of 2 texts, and behind it one of 30 labels: --label-column 0 --text-column 1 if the label comes first/,
  );
  assert.deepEqual(await remarks("a.txt", turned, { labelColumns: [0], textColumn: 1 }), []);
});
