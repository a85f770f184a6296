/** What errors advise: commands that work when they are typed. */

import assert from "node:assert/strict";
import { HINTS, inFlags, lineOf } from "../../core/cli/hints.ts";
import { writeNpz } from "../../core/data/readers/arrays.ts";
import { writeNpy } from "../../core/data/readers/npy.ts";
import { errorCause, fail } from "../../core/errors.ts";
import { FLAGS } from "../../core/job/options.ts";
import { madeBy } from "../job/kinds.ts";

const rows = (head: string, row: (n: number) => string, count = 20) =>
  [...head ? [head] : [], ...Array.from({ length: count }, (_, n) => row(n))].join("\n") + "\n";
const label = (n: number) => ["up", "down"][n % 2]!;
const x = { shape: [20, 4, 1], data: Float32Array.from({ length: 80 }, (_, i) => i * 7 % 11) };
const y = { shape: [20], data: Int32Array.from({ length: 20 }, (_, n) => n % 2) };

const FILES: Readonly<Record<string, string | Uint8Array>> = {
  "steps.csv": rows("id,at,label,a", (n) => `s${n >> 1},${n},${label(n >> 1)},${n % 7}`),
  "plain.csv": rows("id,a", (n) => `s${n >> 1},${n % 7}`),
  "holes.csv": rows("label,a,b,c", (n) => `${label(n)},${n},${n % 5 ? n : ""},2`),
  "bare.csv": rows("", (n) => `${n}.5,${n % 3},${label(n)}`),
  "kinds.csv": rows("kind,a,b", (n) => `${label(n)},${n},${n % 3}`),
  "texts.csv": rows("label,text", (n) => `${label(n)},one ${n % 3} two`),
  "keyed.csv": rows("other,name,label", (n) => `o${n},s${n},${label(n)}`, 10),
  "x.npy": writeNpy(x),
  "y.npy": writeNpy(y),
  "odd.npz": await writeNpz({ x, y }),
  "two.npz": await writeNpz({ first: x, second: x, y }),
  "wide.csv": rows("label,a,b", (n) => `${label(n)},${n},${n % 3}`),
  "index.csv": rows(",label,a,b", (n) => `${n},${label(n)},${n},${n % 3}`),
  "weka.arff":
    "@relation r\n@attribute a numeric\n@attribute b numeric\n@attribute k {u,v}\n@attribute label {up,down}\n" +
    "@data\n" + rows("", (n) => `${n},${n % 3},${"uv"[n % 2]},${label(n)}`),
  "named.csv": rows("name,label,a,b", (n) => `s${n >> 1},${label(n >> 1)},${n},${n % 3}`),
  "time.csv": rows("person,time,label,a", (n) => `p${n >> 1},${n},${label(n >> 1)},${n % 5}`),
  "recording.csv": rows("who,at,label,a", (n) => `p${Math.floor(n / 30)},${n},${label(n % 30 >> 2)},${n % 7}`, 120),
  "amounts.csv": rows("who,at,label,a", (n) => `p${Math.floor(n / 30)},${n},${n}.5,${n % 7}`, 120),
  "signs.csv": rows("label;a;b", (n) => `${label(n)};${n + 1},123;${n}`),
  "marks.csv": rows("label,a,b", (n) => `${label(n)},${n % 5 ? n : "-"},${n % 4 ? "2" : "#DIV/0!"}`),
  "series.csv": rows("a", (n) => n % 9 ? `${n}` : "--"),
  "quotes.csv": rows("label,text", (n) => `${label(n)},one ${n % 3} "two`),
  "latin.txt": Uint8Array.from(rows("", (n) => `caf\u00e9 ${n % 3} two\t${label(n)}`), (c) => c.charCodeAt(0)),
  "again.csv": rows("id,label,a,b", (n) => `s${n >> 1},${label(n >> 1)},${n},${n % 3}`),
  "counts.csv": rows("label,a,b", (n) => `${n},${n},${n * n}`, 10),
  "three.tsv": rows("", (n) => `one ${n}\t${n} two\tmore`),
  "pairs.tsv": rows("", (n) => `one ${n}\t${n} two three four`),
  "steps.jsonl": rows("", (n) => {
    const y = Array.from({ length: 2 + n % 3 }, (_, t) => label(n * t));
    return JSON.stringify({ x: y.map((_, t) => [t * n % 5]), y });
  }),
  "turned.jsonl": rows("", (n) => {
    const channel = Array.from({ length: 20 + n % 5 }, (_, t) => t * n % 7);
    return JSON.stringify({ x: [channel, channel, channel], y: label(n) });
  }),
  "few.csv": rows("label,a,b", (n) => `${label(n)},${n},1`, 2),
};

/** By the code of its error: what is refused with advice, and what the advice makes of it. */
const CASES: readonly (readonly [code: string, line: string, ...advised: string[]])[] = [
  ["option-missing", "steps.csv --time-column at", "--sequence-column id"],
  ["value-missing", "holes.csv", "--missing drop", "--missing zero", "--missing mean", "--missing last"],
  ["header-unclear", "bare.csv --label-column -1", "--header", "--no-header"],
  ["label-column-unknown", "kinds.csv", "--label-column kind"],
  ["labels-unclear", "steps.jsonl", "--label-every-step", "--no-label-every-step"],
  ["label-missing", "texts.csv --tokens words", "--text-column text"],
  ["label-missing", "plain.csv --sequence-column id --labels-table keyed.csv --key other", "--key name"],
  ["labels-missing", "x.npy", "--label-file y.npy"],
  ["array-missing", "two.npz", "--x-key first"],
  ["column-missing", "kinds.csv --label-column what", "--label-column kind"],
  ["column-unnamed", "index.csv", "--feature-columns a,b"],
  ["column-type", "weka.arff", "--feature-columns a,b"],
  ["column-not-numbers", "named.csv", "--feature-columns a,b", "--sequence-column name"],
  ["column-is-time", "time.csv", "--feature-columns a", "--sequence-column person --feature-columns a"],
  [
    "sequence-inconsistent",
    "recording.csv --sequence-column who --time-column at",
    "--window 4",
  ],
  [
    "label-out-of-range",
    "amounts.csv --sequence-column who --time-column at --window 4",
    "--window-label last",
  ],
  ["not-a-number", "signs.csv", "--decimal .", "--decimal ,"],
  ["not-a-number", "marks.csv --missing drop --missing-values #DIV/0!", "--missing-values=-"],
  ["series-missing", "series.csv --target-column a --window 2 --missing drop", "--missing-values=--"],
  ["file-malformed", "quotes.csv --text-column text", "--quote none"],
  ["file-malformed", "latin.txt --tokens words", "--encoding latin1"],
  ["sequence-repeated", "again.csv", "--sequence-column id"],
  ["label-unknown", "counts.csv", "--task regression"],
  ["shape-mismatch", "turned.jsonl", "--layout nct"],
  ["too-few-items", "few.csv", "--test-split 0"],
  ["row-width", "three.tsv --task seq2seq", "--source-column 0 --target-column 1"],
  ["target-too-long", "pairs.tsv --task seq2seq --max-target-length 2", "--max-target-length 9"],
  ["option-unsuited", "odd.npz --label-column first", "--y-key y"],
];

/** Codes whose advice names no flag, or is a sentence of the library's own. */
const WITHOUT_FLAGS = [
  "option-type",
  "option-out-of-range",
  "input-kind",
  "option-conflict",
  "line-too-long",
  "file-too-large",
];

Deno.test("all advice that names a flag works when it is typed", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "grutto-" }), say = console.error;
  console.error = () => {};
  try {
    for (const [name, content] of Object.entries(FILES)) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      Deno.writeFileSync(`${folder}/${name}`, bytes);
    }
    const run = (line: string) =>
      madeBy(line.split(" ").map((word) => Object.hasOwn(FILES, word) ? `${folder}/${word}` : word));
    const faults: string[] = [];
    for (const [code, line, ...advised] of CASES) {
      const error = await run(line).then(() => undefined, (error) => error), cause = errorCause(error);
      if (cause?.code !== code) {
        faults.push(`${line}: ${error}`);
        continue;
      }
      const advice = inFlags(cause).advice!, named: string[] = advice.match(/--[a-z-]+/g) ?? [];
      const typed = advised.flatMap((flags) => flags.match(/--[a-z-]+/g)!);
      if (named.some((flag) => !typed.includes(flag)) || typed.some((flag) => !named.includes(flag))) {
        faults.push(`${line}: "${advice}" is not what is tried, ${typed.join(" ")}`);
      }
      for (const flags of advised) {
        // A flag of few words is advised with one of them.
        const [flag, value = ""] = flags.split(" "), spec = FLAGS.find((one) => `--${one.flag}` === flag)?.spec;
        const isAdvised = advice.includes(`${flag} ${value}`) || /^\w+$/.test(value) && advice.match(`\\b${value}\\b`);
        if (spec?.choices && !isAdvised) faults.push(`${line}: "${advice}" has no ${value}`);
        // A flag that was wrong is said anew, one that does not suit is left.
        const [option] = flags.split(" "), words = line.split(" "), at = words.indexOf(option!);
        const kept = code === "option-unsuited" ? words.slice(0, 1) : at < 0 ? words : words.toSpliced(at, 2);
        await run([...kept, flags].join(" ")).catch((error) =>
          faults.push(`${kept.join(" ")} ${flags}: ${lineOf(error)}`)
        );
      }
    }
    assert.deepEqual(faults, []);
  } finally {
    console.error = say;
    Deno.removeSync(folder, { recursive: true });
  }
  const tried = new Set(CASES.map(([code]) => code));
  assert.deepEqual(Object.keys(HINTS).filter((code) => !tried.has(code) && !WITHOUT_FLAGS.includes(code)), []);
});

Deno.test("advice is for the command that is typed: what only training takes is to be said there", () => {
  const missing = fail("value-missing", "prepare data", "a value is missing", { option: "missing" });
  const labels = fail("labels-missing", "read x.npy", "the file has no labels", { option: "labelsFrom" });
  assert.match(lineOf(missing, "train"), /missing: --missing drop/);
  assert.match(lineOf(missing, "predict"), /missing: in training, --missing drop/);
  assert.match(lineOf(missing, "evaluate"), /missing: in training, --missing drop/);
  assert.match(lineOf(labels, "evaluate"), /own: --label-file FILE$/);
});
