import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { ROOT, runDeno } from "./run.ts";

const JOB = "--size 200 --steps 8 --hidden-size 32 --batch-size 64 --epochs 2".split(" ");

/** Runs the command line where `before` has been run. */
async function run(before: string, args: readonly string[]) {
  const main = pathToFileURL(`${ROOT}/core/cli/main.ts`);
  const code = `${before}; const { main } = await import("${main}"); Deno.exit(await main(${JSON.stringify(args)}));`;
  return await runDeno(["eval", code]);
}

Deno.test("where threads are not to be had, that is said once, and one thread comes to the same", async () => {
  const none = `Worker.prototype.postMessage = () => { throw new DOMException("no sharing", "DataCloneError"); }`;
  const { code, out, err } = await run(none, [...JOB, "--threads", "3"]);
  assert.equal(code, 0, err);
  assert.equal(err, "note: running on one thread: shared memory cannot be passed to workers here\n");
  const lines = (text: string) =>
    text.split("\n").filter((line) => line.startsWith("epoch")).map((line) => line.slice(0, 80));
  const expected = await run("", [...JOB, "--threads", "auto"]);
  assert.equal(expected.err, "");
  assert.equal(lines(out).length, 2);
  assert.deepEqual(lines(out), lines(expected.out));
});
