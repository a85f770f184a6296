/** `--wide`: the program under flags of V8. */

import assert from "node:assert/strict";
import type { Model } from "../../core/model/model.ts";
import { wideHint } from "../../core/cli/wide.ts";
import { assertFails, assertWorks, MOD, Place, runDeno } from "./run.ts";

const JOB = "--size 160 --steps 12 --hidden-size 64 --epochs 2 --seed 4";

Deno.test("--wide trains under the flags, to the same checkpoint, with the permissions that there are", async () => {
  await using place = await Place.make();
  const permissions = [`--allow-read=${place.path}`, `--allow-write=${place.path}`];
  assertWorks(await place.runWith(permissions, `${JOB} --checkpoint plain`));
  const wide = await place.runWith([...permissions, "--allow-run=deno"], `${JOB} --wide --checkpoint wide`);
  assertWorks(wide);
  assert.match(wide.out, /epoch 2\/2/);
  assert.equal(place.read("wide/last.json"), place.read("plain/last.json"));
  // What this process may not do, the other may not either.
  const denied = await place.runWith([permissions[0]!, "--allow-run=deno"], `${JOB} --wide --checkpoint none`);
  assert.match(denied.err, /for lack of permission/);
});

Deno.test("the process that --wide starts has the flags: its wide tiles are the faster ones", async () => {
  await using place = await Place.make();
  // The program of the test in the place of ours: what it is started with.
  place.write(
    "main.ts",
    `
    import { main } from ${JSON.stringify(MOD.replace("mod.ts", "core/cli/main.ts"))};
    if (Deno.args.includes("--wide")) Deno.exit(await main(Deno.args));
    const { createModel, train } = await import(${JSON.stringify(MOD)});
    using model = await createModel({ inputSize: 8, hiddenSize: 64, outputSize: 2 }, { threads: 1 });
    const [N, T, I] = [64, 40, 8];
    await train(model, { x: new Float32Array(N * T * I), shape: [N, T, I], targets: new Float32Array(2 * N) }, { epochs: 1 });
    console.log(model.device.description, Deno.args.join(" "));
    Deno.exit(5);`,
  );
  const { code, out, err } = await runDeno(["run", "--no-prompt", "-A", "main.ts", "--wide", "--epochs", "3"], {
    cwd: place.path,
  });
  assert.deepEqual({ code, err }, { code: 5, err: "" });
  assert.equal(out, "WebAssembly, relaxed SIMD in wide tiles, 1 thread --epochs 3\n");
});

Deno.test("where Deno may not be started, --wide says what to type", async () => {
  await using place = await Place.make();
  assertFails(
    await place.run(`${JOB} --wide --checkpoint ck`),
    1,
    "--wide must start Deno again, which takes --allow-run=deno; or type: deno run " +
      "--v8-flags=--no-wasm-bounds-checks,--experimental-wasm-revectorize --allow-read=ck --allow-write=ck " +
      `file://${MOD} ${JOB} --checkpoint ck`,
  );
  assert.deepEqual(place.files(), []);
});

Deno.test("--wide is for the CPU and for relaxed SIMD", async () => {
  await using place = await Place.make();
  assertFails(await place.run("--wide --gpu"), 2, "--wide belongs to --device wasm");
  assertFails(await place.run("--wide --simd plain"), 2, "--wide and --simd plain contradict each other");
  assertFails(await place.run("info x --wide"), 2, /--wide belongs to train, evaluate and predict, not to info/);
});

Deno.test("a training of more than a minute is told of --wide where it would gain", {
  ignore: Deno.build.arch !== "x86_64",
}, () => {
  const of = (description: string, hiddenSize: number) =>
    ({ device: { description }, config: { hiddenSize } }) as Model;
  const relaxed = of("WebAssembly, relaxed SIMD, 1 thread", 64);
  assert.match(wideHint(relaxed, 4, 60)!, /^note: --wide/);
  // One of several processes cannot start another program.
  assert.match(wideHint(relaxed, 4, 60, false)!, /^note: deno run --v8-flags=--no-wasm-bounds-checks,\S+ may halve/);
  assert.equal(wideHint(relaxed, 1, 600), undefined);
  assert.equal(wideHint(relaxed, 4, 50), undefined);
  assert.equal(wideHint(of("WebAssembly, relaxed SIMD, 1 thread", 10), 4, 600), undefined);
  assert.equal(wideHint(of("WebAssembly, relaxed SIMD in wide tiles, 1 thread", 64), 4, 600), undefined);
  assert.equal(wideHint(of("WebAssembly, plain SIMD, 1 thread", 64), 4, 600), undefined);
  assert.equal(wideHint(of("WebGPU, llvmpipe", 64), 4, 600), undefined);
});
