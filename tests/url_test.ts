/** The toolkit as it is used from a URL, and imported: with no permission, without a trace. */

import assert from "node:assert/strict";
import { WITHOUT_GPU } from "./devices.ts";
import { assertWorks, Place, ROOT, runDeno } from "./cli/run.ts";

/** Serves the repository's modules as a plain web server would, while `run` goes on. */
async function served(run: (origin: string, asked: Set<string>) => Promise<void>) {
  const asked = new Set<string>();
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    asked.add(pathname);
    try {
      const headers = { "content-type": "text/plain; charset=utf-8" };
      return new Response(await Deno.readTextFile(`${ROOT}${pathname}`), { headers });
    } catch {
      return new Response("not here", { status: 404 });
    }
  });
  await run(`http://127.0.0.1:${server.addr.port}`, asked);
}

Deno.test("deno run URL/mod.ts trains with no permission flag", () =>
  served(async (origin, asked) => {
    await using place = await Place.make();
    const args = [
      "run",
      "--no-prompt",
      `--reload=${origin}`,
      `${origin}/mod.ts`,
      "--epochs",
      "2",
      "--checkpoint",
      "ck",
    ];
    const { code, out, err } = await runDeno(args, { cwd: place.path });
    assert.equal(code, 0, err);
    assert.match(out, /epoch 2\/2 .*\ndone in /);
    const remarks = err.split("\n").filter((line) => line && !line.startsWith("Download "));
    assert.equal(remarks.length, 1, err);
    const command = `deno run --allow-read=ck --allow-write=ck ${origin}/mod.ts --epochs 2 --checkpoint ck`;
    assert.ok(remarks[0]!.startsWith("note: ") && remarks[0]!.endsWith(`to allow it: ${command}`), err);
    assert.ok(asked.has("/mod.ts") && asked.has("/core/device/wasm_module.ts"));
    assert.deepEqual([...asked].filter((path) => !/\.(ts|wgsl)$/.test(path)), [], "nothing but modules is fetched");
  }));

Deno.test(
  "deno run URL/mod.ts --gpu (WebGPU) needs no permission flag either",
  { ignore: WITHOUT_GPU },
  () =>
    served(async (origin) => {
      await using place = await Place.make();
      const args = ["run", "--no-prompt", `--reload=${origin}`, `${origin}/mod.ts`, "--gpu", "--epochs", "1"];
      const { code, out, err } = await runDeno(args, { cwd: place.path });
      assert.equal(code, 0, err);
      assert.match(out, /^device {5}WebGPU, .*\n[^]*epoch 1\/1 .*\ndone in /);
    }),
);

Deno.test("a script that imports mod.ts by URL trains with leave to import, and nothing else", () =>
  served(async (origin) => {
    await using place = await Place.make();
    place.write(
      "script.ts",
      `import { createModel, evaluate, predict, randomSplit, sampleDataset, train } from "${origin}/mod.ts";
      const [data, test] = randomSplit(sampleDataset({ size: 100, steps: 3 }), [80, 20]);
      using model = await createModel({ inputSize: 5, hiddenSize: 4, outputSize: 2 });
      const history = await train(model, data!, { epochs: 3, validation: test! });
      const { accuracy } = await evaluate(model, test!);
      const { probabilities } = await predict(model, { x: new Float32Array(15), shape: [1, 3, 5] });
      console.log(JSON.stringify([history.length, history[2]!.validationAccuracy === accuracy, probabilities.shape]));`,
    );
    const leave = `--allow-import=${new URL(origin).host}`;
    const run = (...flags: string[]) =>
      runDeno(["run", "--no-prompt", `--reload=${origin}`, ...flags, "script.ts"], { cwd: place.path });
    const { code, out, err } = await run("--check", leave);
    assert.equal(code, 0, err);
    assert.equal(out, "[3,true,[1,2]]\n");
    const refused = await run();
    assert.notEqual(refused.code, 0);
    assert.match(refused.err, /--allow-import/);
  }));

Deno.test("importing mod.ts prints nothing, leaves no global, and trains nothing", async () => {
  await using place = await Place.make();
  place.write("before.ts", "export const before = new Set(Object.getOwnPropertyNames(globalThis));");
  place.write(
    "script.ts",
    `import { before } from "./before.ts";
    import * as grutto from "file://${ROOT}/mod.ts";
    const added = Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name));
    console.log(JSON.stringify([added, typeof grutto.train]));`,
  );
  const result = await runDeno(["run", "--no-prompt", "script.ts"], { cwd: place.path });
  assertWorks(result);
  assert.equal(result.out, '[[],"function"]\n');
});
