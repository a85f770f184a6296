import assert from "node:assert/strict";
import { checkDeno } from "../../core/cli/main.ts";
import { assertFails, assertWorks, MOD, Place, ROOT, runDeno } from "./run.ts";

Deno.test("a Deno older than 2.7 is refused, later ones are not", () => {
  for (const version of ["2.7.0", "2.7.14", "2.9.6", "2.10.0", "3.0.0", "2.8.0-rc.1+abc"]) checkDeno(version);
  for (const version of ["1.46.3", "2.0.6", "2.6.8", "1.99.0"]) {
    const message = `Grutto needs Deno 2.7 or later, this is ${version}: run "deno upgrade"`;
    assert.throws(() => checkDeno(version), { name: "Error", message });
  }
});

/** Runs a module as Deno 2.6.8, which had no FsFile.tryLock, would. */
async function runAsOld(code: string) {
  await using place = await Place.make();
  place.write(
    "old.ts",
    `Object.defineProperty(Deno, "version", { value: { ...Deno.version, deno: "2.6.8" } });
    delete Deno.FsFile.prototype.tryLock;
    ${code}`,
  );
  return await runDeno(["run", "--quiet", "--no-check", "-A", "old.ts"], { cwd: place.path });
}

Deno.test("the command line refuses it in one line; the library works as far as it goes", async () => {
  const [refused, works] = await Promise.all([
    runAsOld(`Deno.exit(await (await import("file://${ROOT}/core/cli/main.ts")).main(["--checkpoint", "ck"]));`),
    runAsOld(
      `const { createModel, predict } = await import("file://${MOD}");
      using model = await createModel({ inputSize: 1, hiddenSize: 2, outputSize: 1, loss: "mse" });
      console.log((await predict(model, { x: new Float32Array(3), shape: [1, 3, 1] })).probabilities.shape);`,
    ),
  ]);
  assertFails(refused, 2, 'Grutto needs Deno 2.7 or later, this is 2.6.8: run "deno upgrade"');
  assertWorks(works);
  assert.equal(works.out, "[ 1, 1 ]\n");
});
