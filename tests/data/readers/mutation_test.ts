import assert from "node:assert/strict";
import fc from "npm:fast-check@4.10.2";
import { readRecords, writeNpy, writeNpz } from "../../../mod.ts";
import { checkReading, KINDS, mutate, type Mutation, samples, TOKENS } from "./mutation.ts";
import { assertFails, input } from "./read.ts";

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom(...KINDS),
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  to: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  size: fc.nat({ max: 40 }),
  token: fc.nat({ max: TOKENS.length - 1 }),
});

const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 });

Deno.test("the samples that are mutated are read as they are, but for one", async () => {
  const refused = [];
  for (const sample of await samples()) if (!await checkReading(sample)) refused.push(sample.name);
  assert.deepEqual(refused, ["object.npy"]);
});

Deno.test("readRecords() gives records or one of our errors, whatever befalls a file", async () => {
  for (const sample of await samples()) {
    await fc.assert(
      fc.asyncProperty(mutations, async (list) => {
        await checkReading({ ...sample, bytes: mutate(sample.bytes, list) });
      }),
      { numRuns: 60 },
    );
  }
});

Deno.test("readRecords() gives one of our errors for every file that once broke it", async () => {
  const folder = new URL("../../testdata/readers/finds/", import.meta.url);
  for await (const { name } of Deno.readDir(folder)) {
    const bytes = await Deno.readFile(new URL(name, folder));
    assert.equal(await checkReading({ name, bytes, options: {} }), false, name);
  }
});

Deno.test("readRecords() makes no room for what a long line cannot hold", async () => {
  const n = 70_000, ones = `${"1,".repeat(n)}1`;
  const attributes = "@attribute t numeric\n".repeat(n);
  await assertFails(
    "a.ts",
    `@classLabel true\n@data\n${ones}${":1".repeat(n)}:a\n`,
    `line 3, dimension 2 must have ${n + 1} values as the first, got 1`,
  );
  await assertFails(
    "a.arff",
    `@relation r\n@attribute x relational\n${attributes}@end x\n@attribute y {a}\n@data\n'1${"\\n1".repeat(n)}',a\n`,
    /dimension 1 must have 70000 values, got 1$/,
  );
  await assertFails("a.jsonl", `{"x": ${"[".repeat(n)}\n`, "line 1 nests deeper than a record does");
  await assertFails("a.csv", ",".repeat(1_000_000), "line 1 must have at most 1000000 columns, got 1000001");
});

Deno.test("readRecords() gives records or one of our errors for arrays damaged inside a sound archive", async () => {
  const x = writeNpy({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
  // The archive is made around other bytes of x, its checksum included.
  const { zipSync } = await import("npm:fflate@0.8.3/browser");
  const y = writeNpy({ shape: [2], data: Int8Array.of(0, 1) });
  await fc.assert(
    fc.asyncProperty(mutations, fc.boolean(), async (list, ofX) => {
      const files = { "x.npy": ofX ? mutate(x, list) : x, "y.npy": ofX ? y : mutate(y, list) };
      await checkReading({ name: "a.npz", bytes: zipSync(files), options: {} });
    }),
    { numRuns: 200 },
  );
});

Deno.test("readRecords() gives one of our errors for any bytes of any format", async () => {
  const name = fc.constantFrom("a.csv", "a.tsv", "a.json", "a.jsonl", "a.ts", "a.arff", "a.txt", "a.npy", "a.npz", "-");
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string().map((text) => new TextEncoder().encode(text)));
  await fc.assert(
    fc.asyncProperty(name, bytes, async (name, bytes) => {
      await checkReading({ name, bytes, options: {} });
    }),
    { numRuns: 1000 },
  );
});

Deno.test("readRecords() finds every bit that is flipped in a .npz", async () => {
  const x = { shape: [2, 4], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) };
  const archive = await writeNpz({ x, y: { shape: [2], data: Int8Array.of(0, 1) } });
  const all = async (bytes: Uint8Array) => {
    try {
      const { records } = await readRecords(input("a.npz", bytes, 1000));
      return await Array.fromAsync(records, ({ values, labels }) => [values, labels]);
    } catch {
      return undefined;
    }
  };
  const expected = await all(archive);
  let accepted = 0;
  for (let bit = 0; bit < 8 * archive.length; bit++) {
    const found = await all(archive.map((byte, i) => i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    if (!found) continue;
    accepted++;
    // Dates and versions may differ, numbers may not.
    assert.deepEqual(found, expected, `bit ${bit}`);
  }
  assert.ok(accepted < 4 * archive.length);
});

Deno.test("readRecords() reads the same, however the bytes come", async () => {
  for (const { name, bytes, options, isTable } of await samples()) {
    if (isTable) continue;
    const at = async (piece: number) => {
      const list = [];
      try {
        for await (const record of (await readRecords(input(name, bytes, piece), options)).records) list.push(record);
      } catch (error) {
        list.push((error as Error).message);
      }
      return list;
    };
    const whole = await at(bytes.length);
    for (const piece of [1, 2, 3, 64]) assert.deepEqual(await at(piece), whole, name);
  }
});

Deno.test("JSON Lines, CSV and NumPy arrays give back the numbers that were written", async () => {
  const value = fc.float({ noDefaultInfinity: true, noNaN: true });
  const shape = fc.record({ steps: fc.integer({ min: 1, max: 5 }), channels: fc.integer({ min: 1, max: 3 }) });
  const label = fc.oneof(
    fc.string({ minLength: 1, unit: "grapheme" }),
    fc.constantFrom("__proto__", "constructor", "a,b", '"'),
  )
    .filter((name) => !/^\s|\s$|^[?]$|^[+-]?nan$/i.test(name) && name.isWellFormed());
  const sequences = shape.chain(({ steps, channels }) =>
    fc.record({
      steps: fc.constant(steps),
      channels: fc.constant(channels),
      rows: fc.array(fc.tuple(fc.array(value, { minLength: steps * channels, maxLength: steps * channels }), label), {
        minLength: 1,
        maxLength: 4,
      }),
    })
  );
  await fc.assert(
    fc.asyncProperty(sequences, fc.integer({ min: 1, max: 50 }), async ({ steps, channels, rows }, piece) => {
      const nested = (list: number[]) =>
        Array.from({ length: steps }, (_, t) => list.slice(t * channels, (t + 1) * channels));
      const quote = (cell: string) => `"${cell.replaceAll('"', '""')}"`;
      const encode = (content: string) => new TextEncoder().encode(content);
      const jsonl = encode(rows.map(([x, y]) => `${JSON.stringify({ x: nested(x), y })}\n`).join(""));
      const json = encode(JSON.stringify(rows.map(([x, y]) => ({ x: nested(x), y })), null, 1));
      const names = ["id", ...Array.from({ length: channels }, (_, c) => `x${c}`), "y"];
      const csv = encode([
        names.join(","),
        ...rows.flatMap(([x, y], n) => nested(x).map((step) => [n, ...step, quote(y)].join(","))),
      ].join("\n"));
      const numbers = { shape: [rows.length, steps, channels], data: Float32Array.from(rows.flatMap(([x]) => x)) };
      const npz = await writeNpz({
        x: numbers,
        y: { shape: [rows.length], data: Int32Array.from(rows, (_, n) => n) },
      });
      for (const [name, bytes] of Object.entries({ "a.jsonl": jsonl, "a.json": json, "a.csv": csv, "a.npz": npz })) {
        const options = name === "a.csv" ? { sequenceColumn: "id" } : {};
        const records = await Array.fromAsync((await readRecords(input(name, bytes, piece), options)).records);
        assert.deepEqual(
          records.map(({ values, labels }) => [values, labels![0]]),
          rows.map(([x, y], n) => {
            // CSV and JSON write -0 as 0.
            const values = name === "a.npz" ? Float32Array.from(x) : Float64Array.from(x, (one) => one || 0);
            return [values, name === "a.npz" ? String(n) : y];
          }),
          name,
        );
      }
    }),
    { numRuns: 60 },
  );
});
