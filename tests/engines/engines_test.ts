/**
 * The same bytes in every engine, on plain SIMD: losses, weights, predictions, checkpoints, files of other programs, reports.
 * Where they are to change, `GRUTTO_UPDATE=1 deno task test:engines` writes those of Deno down.
 */

import assert from "node:assert/strict";
import { ROOT, runDeno } from "../cli/run.ts";
import { exportModule, type ModuleFiles } from "../../core/exchange/module.ts";
import { moduleCases } from "../exchange/models.ts";
import { pairCases } from "../exchange/pair_models.ts";
import { ENGINES, type Found } from "./engines.ts";
import { suite, threads } from "./suite.js";

const STORED = new URL("../testdata/engines.json", import.meta.url), isCi = Deno.env.has("CI");

const read = async (name: string) => await Deno.readFile(new URL(`../testdata/own/${name}`, import.meta.url));

const g = await import("../../mod.ts"), files: Record<string, Uint8Array> = {};
for (const name of ["moves.csv", "reviews.txt", "sales.csv"]) files[name] = await read(name);
const expected: Found = await suite(g, files);

Deno.test("Deno has the bytes that are written down", async () => {
  // Pages and plots change with their looks.
  const lasting = JSON.stringify(expected, (key, value) => key === "report" || key === "plot" ? undefined : value, 2);
  if (Deno.env.has("GRUTTO_UPDATE")) await Deno.writeTextFile(STORED, `${lasting}\n`);
  assert.deepEqual(JSON.parse(lasting), JSON.parse(await Deno.readTextFile(STORED)));
  assert.deepEqual(await threads(g), { same: true, why: "" });
});

/** What a model says in WebKitGTK, which runs on one thread. */
const NO_SHARING = "shared memory cannot be passed to workers here";

let built: Promise<string> | undefined;

/** The library for other engines, built once. */
function library(): Promise<string> {
  return built ??= (async () => {
    const folder = `${await Deno.makeTempDir()}/dist`;
    const lock = `--lock=${ROOT}/scripts/deno.lock`;
    const { code, err } = await runDeno(["run", lock, "-A", `${ROOT}/scripts/dist/main.ts`, folder]);
    assert.equal(code, 0, err);
    await writeModels(folder);
    return folder;
  })();
}

const cases = [...await moduleCases(), ...await pairCases()];

/** The models of the cases as modules, and their inputs. */
async function writeModels(folder: string) {
  const write = async (files: ModuleFiles) => {
    for (const [name, bytes] of Object.entries(files)) await Deno.writeFile(`${folder}/${name}`, bytes);
  };
  for (const { name, file } of cases) await write(await exportModule(file, { name: `model-${name}` }));
  const { file } = cases.find(({ name }) => name === "moves")!;
  await write(await exportModule(file, { name: "file-moves", wasm: "file" }));
  const list = cases.map(({ name, inputs }) => ({ name, inputs }));
  await Deno.writeTextFile(`${folder}/models.json`, JSON.stringify(list));
}

/** What the models must say, each in an engine of its own. */
function said(engine: string, file: string): Record<string, unknown> {
  const all = cases.map(({ name, expected }) => [name, { engine, predictions: expected }] as const);
  return Object.fromEntries([...all, ["file", {
    engine: file,
    predictions: Object.fromEntries(all).moves!.predictions,
  }]]);
}

for (const { name, hasFiles, find, run } of ENGINES) {
  const program = await find();
  if (!program) console.log(`${name} is not here: ${isCi ? "a failure" : "skipped"}`);
  Deno.test({
    name: `${name} has the same bytes`,
    ignore: !program && !isCi,
    sanitizeResources: false,
    async fn() {
      assert.ok(program, `${name} is missing`);
      const { threads, paths, models, underPolicy, ...found } = await run(program, await library()) as
        & Found
        & Record<string, unknown>;
      assert.equal(found.error, undefined);
      assert.deepEqual(found, expected);
      // workerd compiles nothing, and takes modules.
      const [engine, file] = name === "workerd"
        ? ["JavaScript", "JavaScript, then WebAssembly"]
        : ["WebAssembly", "JavaScript, then WebAssembly"];
      assert.deepEqual(models, said(engine!, file!));
      if (underPolicy) assert.deepEqual(underPolicy, said("JavaScript", "JavaScript, then refused"));
      else assert.ok(hasFiles || name === "workerd");
      // workerd has none of either.
      if (threads) assert.deepEqual(threads, { same: true, why: name === "WebKitGTK" ? NO_SHARING : "" });
      if (paths) assert.match(String(paths), hasFiles ? /^kept$/ : /needs Deno or Node.*use formatCheckpoint/);
    },
  });
}

globalThis.addEventListener("unload", () => {
  built?.then((folder) => Deno.removeSync(folder, { recursive: true }), () => {});
});
