/**
 * The small files of tests/testdata/own: sequences, a table and texts, to try the program on.
 *
 *     deno run --allow-write=tests/testdata/own scripts/own_samples.ts
 *
 * @module
 */

import { Random } from "../core/random.ts";
import { commandLine } from "./command_line.ts";

const FOLDER = new URL("../tests/testdata/own/", import.meta.url);
const random = new Random(0, "data");
const round = (value: number) => Number(value.toFixed(2));

function write(name: string, lines: readonly string[]): void {
  Deno.writeTextFileSync(new URL(name, FOLDER), `${lines.join("\n")}\n`);
}

/** Three ways to move, a row per step: speeds that rise, fall or stay, and turns that mean nothing. */
function moves(): string[] {
  const lines = ["id,t,speed,turn,kind"];
  for (let n = 0; n < 36; n++) {
    const kind = ["start", "stop", "cruise"][n % 3]!, slope = [0.4, -0.4, 0][n % 3]!, steps = 6 + n * 5 % 7;
    for (let t = 0; t < steps; t++) {
      const speed = round(5 + slope * (t - steps / 2) + 0.3 * random.normal());
      lines.push(`m${n},${t},${speed},${round(random.normal())},${kind}`);
    }
  }
  return lines;
}

/** Ten years of months: a trend, a season, noise. */
function sales(): string[] {
  return [
    "month,sales,price",
    ...Array.from({ length: 120 }, (_, i) => {
      const price = round(10 + 0.5 * random.normal());
      const amount = 100 + 0.5 * i + 20 * Math.sin(i * Math.PI / 6) - 2 * (price - 10) + 2 * random.normal();
      return `${2015 + Math.floor(i / 12)}-${String(i % 12 + 1).padStart(2, "0")},${round(amount)},${price}`;
    }),
  ];
}

/** Praise and blame. */
function reviews(): string[] {
  const things = ["film", "book", "meal", "phone", "hotel", "song"];
  const words = [["bad", "awful", "boring", "broken"], ["good", "great", "lovely", "superb"]];
  return things.flatMap((thing, i) =>
    words.flatMap((list, label) =>
      list.map((word, k) => `the ${thing} was ${i + k & 1 ? "really " : ""}${word}\t${label}`)
    )
  );
}

if (import.meta.main) {
  const command = "deno run --allow-write=tests/testdata/own scripts/own_samples.ts";
  commandLine(command, "Writes the small files of tests/testdata/own.", {});
  write("moves.csv", moves());
  write("sales.csv", sales());
  write("reviews.txt", reviews());
}
