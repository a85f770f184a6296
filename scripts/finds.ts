/**
 * Runs every `repro.sh` of a folder of finds: scripts that once broke the program, with what was seen in their comments.
 * Each runs in a copy of its folder with MOD set, within limits of memory and time; what it does now is held against what
 * a mended one shows.
 *
 *     deno task finds FOLDER
 *
 * @module
 */

import { basename, resolve } from "node:path";
import { commandLine, numberOption } from "./command_line.ts";

const MOD = resolve(import.meta.dirname!, "../mod.ts");

/** What the output of a find shows where it is mended, and what it never shows, by the number of its folder. */
interface Judge {
  /** What a mended program would do for ever is made shorter. */
  readonly shorter?: readonly [from: string, to: string];
  readonly shows?: readonly RegExp[];
  readonly never?: readonly RegExp[];
}

/** Signs of the engine: nothing that is mended shows them. */
const ALWAYS: readonly RegExp[] = [
  /Fatal JavaScript|out of memory/,
  /buffer exceeds maximum|Invalid string length/,
  // But for an error of the library, which a program lets through.
  /Uncaught (?!\(in promise\) \w+: Cannot )/,
  /got undefined/,
];

const JUDGES: Readonly<Record<string, Judge>> = {
  "01": { never: [/failed to allocate/, /^rc [1-9]/m] },
  "03": { never: [/"v":4999990\b/] },
  "04": { never: [/line 1 must be a text/] },
  "05": {},
  "06": { never: [/rc 0$/m] },
  "08": { shows: [/60000 blanks: \d\.\d/] },
  "09": { shows: [/rc 0/] },
  "10": { never: [/rc 133/] },
  "11": { shows: [/rc 1/] },
  "12": {
    shorter: ["--epochs 1000000", "--epochs 15000"],
    shows: [/rc 141; in a: best\.json\s+last\.json/, /rc 129; in b: best\.json\s+last\.json/, /^rc [01]$/m],
    never: [/rc 0; in a/, /os error 11/, /still there/],
  },
  "13": { never: [/^1 m\.csv/m, /<!doctype/i] },
  "14": { shows: [/\b(\d+) lines, \1 epochs/] },
  "15": {},
  "16": { shows: [/rc 1/], never: [/rc 0/, /null/, /NaN/] },
  "17": { never: [/unknown flag|no permission|cannot/] },
  "18": { never: [/rc 137/, /differ/] },
  // deno-lint-ignore no-control-regex -- what no terminal may be sent
  "19": { never: [/\^\[|M-\^|[\x1b\x9b]/] },
  "21": { shows: [/rc 2/], never: [/^\d{4,}$/m, /rc 1/, /damaged or cut off/] },
  "23": {},
  "24": { shows: [/already running/], never: [/model\.config is writable/] },
};

/** What is seen of a find. */
interface Seen {
  readonly did: readonly string[];
  readonly output: string;
  readonly code: number;
  readonly seconds: number;
}

/** Runs a find in a copy of its folder. */
async function run(folder: string, { seconds, gigabytes }: { seconds: number; gigabytes: number }): Promise<Seen> {
  const copy = await Deno.makeTempDir({ prefix: "grutto-find-" }), start = performance.now();
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (isFile) await Deno.writeFile(`${copy}/${name}`, await Deno.readFile(`${folder}/${name}`));
    }
    const isScript = await Deno.stat(`${copy}/repro.sh`).then(() => true, () => false);
    const [from, to] = JUDGES[basename(folder).slice(0, 2)]?.shorter ?? ["", ""];
    // Programs of their own import the module by a path that is not there.
    for await (const { name } of Deno.readDir(copy)) {
      if (isScript && name === "repro.sh" && from) {
        await Deno.writeTextFile(`${copy}/${name}`, (await Deno.readTextFile(`${copy}/${name}`)).replaceAll(from, to));
      }
      if (!name.endsWith(".ts")) continue;
      const text = await Deno.readTextFile(`${copy}/${name}`);
      await Deno.writeTextFile(`${copy}/${name}`, text.replaceAll("../../repo/mod.ts", `file://${MOD}`));
    }
    const script = isScript ? "bash repro.sh" : "deno run -A repro.ts";
    const limited = `ulimit -d ${gigabytes * 2 ** 20}; exec timeout -k 5 ${seconds} ${script}`;
    const child = new Deno.Command("bash", {
      args: ["-c", `(${limited}) 2>&1`],
      cwd: copy,
      env: { MOD, NO_COLOR: "1" },
      stdin: "null",
    });
    const { code, stdout } = await child.output(),
      text = await Deno.readTextFile(`${copy}/repro.${isScript ? "sh" : "ts"}`);
    const did = [...text.matchAll(/(?:^|\s)(?:#|\/\/)\s*([^!].*)$/gm)].map(([, comment]) => comment!);
    return { did, output: new TextDecoder().decode(stdout), code, seconds: (performance.now() - start) / 1000 };
  } finally {
    await Deno.remove(copy, { recursive: true }).catch(() => {});
  }
}

/** Why a find is not mended; undefined if it is. */
export function verdict(name: string, { output, code }: Pick<Seen, "output" | "code">): string | undefined {
  const judge = JUDGES[name.slice(0, 2)];
  if (!judge) return "nobody says what a mended one shows";
  if (code === 124 || code === 137) return "it took too long";
  const bad = [...ALWAYS, ...judge.never ?? []].find((pattern) => pattern.test(output));
  if (bad) return `it shows ${bad}`;
  const missing = judge.shows?.find((pattern) => !pattern.test(output));
  return missing && `it does not show ${missing}`;
}

/** A line as it may be shown: its controls spelled out, no longer than a screen is wide. */
function shown(line: string): string {
  const safe = line.replaceAll(/\p{Cc}/gu, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return safe.length > 160 ? `${safe.slice(0, 120)} … (${line.length} characters)` : safe;
}

if (import.meta.main) {
  const { values, operands } = commandLine("deno task finds", "Runs every find of a folder: mended or not.", {
    only: { type: "string", default: "", about: "finds whose names begin so: 12,19" },
    seconds: { type: "string", default: "300", about: "for one find at most" },
    gigabytes: { type: "string", default: "6", about: "of memory at most" },
  }, ["FOLDER"]);
  const limits = {
    seconds: numberOption("seconds", values.seconds!, 1),
    gigabytes: numberOption("gigabytes", values.gigabytes!, 1),
  };
  const [folder] = operands as [string];
  const only = values.only!.split(","), open: string[] = [];
  const folders = Array.from(Deno.readDirSync(folder)).filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
  const chosen = folders.sort().filter((name) => only.some((start) => name.startsWith(start)));
  for (const name of chosen) {
    const seen = await run(resolve(folder, name), limits), why = verdict(basename(name), seen);
    if (why !== undefined) open.push(name);
    console.log(
      `\n${name}: ${why === undefined ? "mended" : `NOT mended: ${why}`} (${
        seen.seconds.toFixed(1)
      } s, code ${seen.code})`,
    );
    for (const line of seen.did) console.log(`  did: ${shown(line)}`);
    for (const line of seen.output.trimEnd().split("\n").slice(-8)) console.log(`  now: ${shown(line)}`);
  }
  console.log(
    `\n${chosen.length - open.length} of ${chosen.length} mended${open.length ? `; open: ${open.join(", ")}` : ""}`,
  );
  Deno.exit(open.length ? 1 : 0);
}
