/**
 * Two million characters of what makes a careless pattern take the square of a line's length: each would take hours. Every
 * reader, and the words of a text, must be through them at once.
 */

import assert from "node:assert/strict";
import { Pipeline, type ReadOptions, readRecords, readTable } from "../../../mod.ts";
import { plainNumber } from "../../../core/data/readers/decimals.ts";
import { input } from "./read.ts";

const N = 2_000_000;

const HOSTILE: Readonly<Record<string, string>> = {
  "spaces": `${" ".repeat(N)}x`,
  "spaces within": `1${" ".repeat(N)}x`,
  "digits": `${"1".repeat(N)}x`,
  "digits and a point": `${"1".repeat(N)}.${"1".repeat(N / 2)}x`,
  "groups": `1${",111".repeat(N / 4)}x`,
  "a date": `2024-01-01 ${" ".repeat(N)}x`,
  "quotes": '"'.repeat(N + 1),
  "escapes": `'${"\\'".repeat(N / 2)}`,
  "zeros": `${"0".repeat(N)}e`,
  "line separators": `${" ".repeat(N)}\u2028${" ".repeat(N / 2)}x`,
};

/** A file for each reader with the hostile text in its places. */
function files(hostile: string): [name: string, text: string, options?: ReadOptions][] {
  const cell = hostile.replaceAll('"', "'");
  return [
    ["a.csv", `a,b,label\n${cell},2,u\n`],
    ["a.csv", `a,b,label\n1,2,${cell}\n`],
    ["a.csv", `${hostile},b,label\n1,2,u\n`],
    ["a.csv", `id,t,a,label\nx,${cell},1,u\n`, { sequenceColumn: "id", timeColumn: "t" }],
    ["a.csv", `a;b;label\n${cell};2;u\n`],
    ["a.csv", `a;b;label\n${cell};2;u\n`, { decimal: ",", missingValues: ["-200"] }],
    ["a.txt", `1\t2\t${cell}\n`],
    ["a.txt", `${cell}\tu\n`],
    ["a.ts", `@classLabel true ${cell}\n@data\n1,2:u\n`],
    ["a.ts", `@classLabel true u v\n@data\n1,${cell}:u\n`],
    ["a.ts", `@timeStamps true\n@classLabel true u v\n@data\n(${cell},1):u\n`],
    ["a.arff", `@relation${cell}\n@attribute a numeric\n@attribute y {u,v}\n@data\n1,u\n`],
    ["a.arff", `@relation r\n@attribute ${cell} numeric\n@attribute y {u,v}\n@data\n1,u\n`],
    ["a.arff", `@relation r\n@attribute a numeric\n@attribute y {u,${cell}}\n@data\n1,u\n`],
    ["a.arff", `@relation r\n@attribute a numeric\n@attribute y {u,v}\n@data\n${cell},u\n`],
    ["a.jsonl", `{"x": [1${cell}], "y": 1}\n`],
    ["a.jsonl", `{"x": "${cell.replaceAll("\\", "")}", "y": 1}\n`],
  ];
}

for (const [name, hostile] of Object.entries(HOSTILE)) {
  Deno.test(`long lines take time in proportion: ${name}`, async () => {
    const texts: string[] = [];
    for (const [file, text, options] of files(hostile)) {
      // To be read or refused: that it ends is what is tested.
      await assert.doesNotReject(async () => {
        try {
          const { records } = await readRecords(input(file, text, 1 << 16), { ...options, maxLineBytes: 4 * N });
          for await (const record of records) if (record.text !== undefined) texts.push(record.text);
        } catch (error) {
          if (!/^Cannot read /.test((error as Error).message)) throw error;
        }
      });
    }
    await readTable(input("a.csv", `t;a\n${hostile.replaceAll('"', "")};1\n`, 1 << 16), { maxLineBytes: 4 * N });
    plainNumber(hostile);
    for (const normalize of ["none", "ascii"] as const) {
      const records = [hostile, "a b", ...texts].map((text, i) => ({
        text,
        steps: 0,
        channels: 0,
        labels: [i ? String(i) : hostile],
        place: "a",
      }));
      Pipeline.fit(records, { task: "multiclass", tokens: "words", normalize });
    }
  });
}
