/** The command line of every script. */

import assert from "node:assert/strict";
import { ROOT, runDeno } from "../cli/run.ts";
import { Clone } from "../pages.ts";

/** The scripts that are started by themselves: their heads say how. Processes of a benchmark are started by it. */
function scripts(folder = "scripts"): string[] {
  return Array.from(Deno.readDirSync(`${ROOT}/${folder}`)).flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return name === "sides" ? [] : scripts(path);
    if (!name.endsWith(".ts")) return [];
    const [head] = Deno.readTextFileSync(`${ROOT}/${path}`).split("*/");
    return /^ \* {4,}deno (run|task) /m.test(head!) ? [path] : [];
  }).sort();
}

/** Runs a script with leave to read, and no other. */
function run(path: string, ...args: string[]) {
  return runDeno([
    "run",
    "--no-prompt",
    "--allow-read",
    "--allow-env",
    "--cached-only",
    "--lock=scripts/deno.lock",
    "--frozen",
    path,
    ...args,
  ]);
}

for (const path of scripts()) {
  Deno.test(`${path} --help prints a page, does nothing, and refuses other flags in one line`, async () => {
    const [{ code, out, err }, refused] = await Promise.all([run(path, "--help"), run(path, "--nonsense")]);
    assert.deepEqual({ code, err }, { code: 0, err: "" });
    assert.match(out, /^[A-Z][^\n]+\.\n(.+\n)*\nusage: deno (run|task) .+\n\n( {2}--[\w-]+( \S+)? {2,}\S.*\n)+$/);
    assert.deepEqual({ code: refused.code, out: refused.out }, { code: 2, out: "" });
    assert.match(refused.err, /^error: [^\n]+: see --help\n$/);
    // A task that the page names is there, and starts this script.
    const task = out.match(/^usage: deno task (\S+)/m)?.[1];
    const { tasks } = JSON.parse(Deno.readTextFileSync(`${ROOT}/deno.json`));
    if (task) assert.ok(tasks[task]?.command.includes(` ${path}`), `${task} does not start ${path}`);
  });
}

/** How a script is started, as its head says: without what stands behind the script or the task. */
function startOf(path: string): string {
  const [, start] = Deno.readTextFileSync(`${ROOT}/${path}`).match(
    /^ \* {4,}(deno task [\w:]+|deno run (?:-\S+ )*scripts\/\S+)/m,
  )!;
  return start!;
}

Deno.test("started as their heads say, scripts leave the program's lock as it is", async () => {
  using clone = new Clone();
  const lock = Deno.readTextFileSync(`${clone.path}/deno.lock`);
  for (const path of scripts()) {
    const args = [...startOf(path).split(" ").slice(1), "--help"];
    const { code, out, err } = await runDeno(args, { cwd: clone.path });
    assert.equal(code, 0, `${path}: ${err}`);
    assert.match(out, /^usage: /m);
    assert.ok(out.includes(`usage: ${startOf(path)}`), `${path} is started as\n${startOf(path)}, but says\n${out}`);
    assert.equal(Deno.readTextFileSync(`${clone.path}/deno.lock`), lock, path);
  }
});

Deno.test("there are scripts to test", () => assert.ok(scripts().length > 15, String(scripts())));
