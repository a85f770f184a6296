/** The determinism contract of the README. */

import assert from "node:assert/strict";
import { trainedHash } from "../scripts/determinism.ts";
import { assertWorks, Place, ROOT, runDeno } from "./cli/run.ts";

/**
 * What the job of scripts/determinism.ts ends with on plain SIMD, on any machine. A change of the arithmetic changes it:
 * then that is to be said in the CHANGELOG, for trainings that were begun before do not go on to the same bits.
 */
const PLAIN = "f21a75ab8918cecbc3c700fea5bd553b7b7b607c147aa11dc56c31b247a077d6";

Deno.test("with plain SIMD a seed gives the bits that are written here, on 1 to 4 threads", async () => {
  for (const threads of [1, 2, 3, 4]) assert.equal(await trainedHash("plain", threads), PLAIN, `${threads} threads`);
});

Deno.test("with relaxed SIMD it gives the same bits on any number of threads", async () => {
  const hashes = [];
  for (const threads of [1, 2, 3, 4, 1]) hashes.push(await trainedHash("relaxed", threads));
  assert.equal(new Set(hashes).size, 1);
});

Deno.test({
  name:
    "the bits of plain SIMD are those of a processor without AVX and fused multiply-add; those of relaxed SIMD are not",
  ignore: Deno.build.arch !== "x86_64",
  async fn() {
    // What V8 does on processors of before 2011.
    const old = "--v8-flags=--no-enable-avx,--no-enable-avx2,--no-enable-fma3,--no-enable-bmi1,--no-enable-bmi2";
    const run = (simd: string) => runDeno(["run", "--no-prompt", old, `${ROOT}/scripts/determinism.ts`, simd]);
    const [plain, relaxed] = await Promise.all([run("plain"), run("relaxed")]);
    assertWorks(plain!);
    assert.equal(plain!.out.trim(), PLAIN);
    assertWorks(relaxed!);
    // Without fused multiply-add there is nothing relaxed about it.
    assert.equal(relaxed!.out.trim(), PLAIN);
  },
});

Deno.test({
  name: "a model says whether its multiply-add is fused",
  ignore: Deno.build.arch !== "x86_64",
  async fn() {
    const code = `const { createModel } = await import(${JSON.stringify(new URL("../mod.ts", import.meta.url).href)});
      const config = { inputSize: 1, hiddenSize: 1, outputSize: 1 };
      for (const simd of ["plain", "relaxed", "wide"]) console.log((await createModel(config, { simd })).device.arithmetic);`;
    const said = async (...flags: string[]) => (await runDeno(["eval", ...flags, code])).out.trim().split("\n");
    assert.deepEqual(await said("--v8-flags=--no-enable-fma3"), ["plain", "unfused", "unfused"]);
    const hasFma = / fma /.test(await Deno.readTextFile("/proc/cpuinfo").catch(() => " fma "));
    if (hasFma) assert.deepEqual(await said(), ["plain", "relaxed", "relaxed"]);
  },
});

Deno.test("the command line leaves the same bytes in every process, on any number of threads", async () => {
  await using place = await Place.make();
  const job = "--size 160 --steps 8 --hidden-size 32 --batch-size 64 --epochs 3 --dropout 0.2 --seed 9";
  const runs = ["", " --threads 1", " --threads 2", " --threads 3", " --threads 4"];
  const results = await Promise.all(runs.map((threads, i) => place.run(`${job}${threads} --checkpoint ck${i}`)));
  results.forEach(assertWorks);
  const files = new Set(runs.flatMap((_, i) => place.read(`ck${i}/last.json`)));
  assert.equal(files.size, 1);
});
