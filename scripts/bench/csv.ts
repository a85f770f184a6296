/**
 * Reading a CSV file of any size beside csv-parse alone, each in a process of its own, in turns: speed and peak memory.
 *
 *     deno task bench:csv --megabytes 1000 --rounds 3
 *
 * csv-parse hands out rows of strings; we hand out sequences of float32 with their labels, every cell checked.
 *
 * @module
 */

import { parse } from "npm:csv-parse@7.0.3";
import { readRecords } from "../../mod.ts";
import { Random } from "../../core/random.ts";
import { commandLine, fail, numberOption } from "../command_line.ts";

/** Kinds of files: what a cell looks like, and what a row is. */
const KINDS = {
  wide: { about: "a row is a sequence of 50 steps", columns: 50, quote: "", long: false },
  long: { about: "a row is a step of 5 channels, 100 make a sequence", columns: 5, quote: "", long: true },
  quoted: { about: "as wide, every cell in quotes", columns: 50, quote: '"', long: false },
  commas: { about: "as quoted, and labels have commas: csv-parse does the work", columns: 50, quote: '"', long: false },
} as const;

type Kind = keyof typeof KINDS;

/** Writes a CSV file of about some bytes. */
async function generate(path: string, kind: Kind, bytes: number): Promise<void> {
  const { columns, quote, long } = KINDS[kind], random = new Random(0, "data");
  const names = [...long ? ["id", "t"] : [], ...Array.from({ length: columns }, (_, i) => `x${i}`), "label"];
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  const encoder = new TextEncoder(),
    write = async (text: string) => {
      const data = encoder.encode(text);
      for (let at = 0; at < data.length;) at += await file.write(data.subarray(at));
      return data.length;
    };
  let size = await write(`${names.join(",")}\n`);
  for (let row = 0; size < bytes;) {
    const lines: string[] = [];
    for (let i = 0; i < 1000; i++, row++) {
      const cells = Array.from({ length: columns }, () => (4 * random.uniform() - 2).toFixed(6));
      if (long) cells.unshift(String(Math.floor(row / 100)), String(row % 100));
      cells.push(`class${kind === "commas" ? ", " : ""}${Math.floor(row / 100) % 3}`);
      lines.push(cells.map((cell) => quote + cell + quote).join(","));
    }
    size += await write(`${lines.join("\n")}\n`);
  }
}

/** What each side does with a file; it returns the count of its records. */
const SIDES: Record<string, (path: string, kind: Kind) => Promise<number>> = {
  async "csv-parse"(path) {
    using file = await Deno.open(path);
    const parser = parse();
    const feeding = (async () => {
      for await (const chunk of file.readable) {
        if (!parser.write(chunk)) await new Promise((resolve) => parser.once("drain", resolve));
      }
      parser.end();
    })();
    let count = 0;
    for await (const _ of parser) count++;
    await feeding;
    return count - 1;
  },
  async grutto(path, kind) {
    const stream = async () => (await Deno.open(path)).readable;
    const options = KINDS[kind].long ? { sequenceColumn: "id", timeColumn: "t" } : {};
    const { records } = await readRecords({ name: path, stream }, options);
    let count = 0;
    for await (const _ of records) count++;
    return count;
  },
};

/** One measurement, made in this process. */
interface Measured {
  readonly seconds: number;
  readonly records: number;
  /** Most memory that the process had, in MB. */
  readonly peak: number;
}

async function measure(side: string, path: string, kind: Kind): Promise<Measured> {
  const start = performance.now(), records = await SIDES[side]!(path, kind);
  const seconds = (performance.now() - start) / 1000;
  const peak = Number((await Deno.readTextFile("/proc/self/status")).match(/VmHWM:\s*(\d+)/)![1]) / 1024;
  return { seconds, records, peak };
}

async function inProcess(side: string, path: string, kind: Kind): Promise<Measured> {
  const args = ["run", "-A", "--quiet", import.meta.filename!, "--side", side, "--file", path, "--kind", kind];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout)) as Measured;
}

const median = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1]!;

if (import.meta.main) {
  const kinds = Object.keys(KINDS).join(", ");
  const { values } = commandLine("deno task bench:csv", "Reads CSV beside csv-parse alone.", {
    megabytes: { type: "string", default: "200", about: "size of each file" },
    rounds: { type: "string", default: "3", about: "rounds" },
    kind: { type: "string", about: `one kind of file: ${kinds}`, takes: "NAME" },
    side: { type: "string", about: "what the processes of a run are told", takes: "NAME" },
    file: { type: "string", about: "the same", takes: "FILE" },
  });
  const megabytes = numberOption("megabytes", values.megabytes, 0.001, false);
  const rounds = numberOption("rounds", values.rounds, 1);
  if (values.kind !== undefined && !Object.hasOwn(KINDS, values.kind)) fail(`--kind must be one of ${kinds}`, 2);
  if (values.side) {
    console.log(JSON.stringify(await measure(values.side, values.file!, values.kind as Kind)));
    Deno.exit();
  }
  for (const kind of (values.kind ? [values.kind] : Object.keys(KINDS)) as Kind[]) {
    const path = await Deno.makeTempFile({ suffix: ".csv" });
    try {
      await generate(path, kind, megabytes * 1e6);
      const { size } = await Deno.stat(path), found: Record<string, Measured[]> = { "csv-parse": [], grutto: [] };
      for (let round = 0; round < rounds; round++) {
        for (const side of Object.keys(found)) found[side]!.push(await inProcess(side, path, kind));
      }
      console.log(`${kind}: ${KINDS[kind].about}, ${(size / 1e6).toFixed(0)} MB, median of ${rounds}`);
      const speed = (side: string) => size / 1e6 / median(found[side]!.map(({ seconds }) => seconds));
      for (const [side, runs] of Object.entries(found)) {
        const peak = Math.max(...runs.map((run) => run.peak)).toFixed(0);
        console.log(
          `  ${side.padEnd(9)} ${speed(side).toFixed(1).padStart(6)} MB/s, peak ${peak} MB, ${
            runs[0]!.records
          } records`,
        );
      }
      console.log(`  grutto / csv-parse: ${(speed("grutto") / speed("csv-parse")).toFixed(2)}`);
    } finally {
      await Deno.remove(path);
    }
  }
}
