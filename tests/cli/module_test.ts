/** `convert` to modules and pages. */

import assert from "node:assert/strict";
import { MOD, Place, runDeno } from "./run.ts";

async function trained(): Promise<Place> {
  const place = await Place.make();
  const { code, err } = await place.run("train --epochs 2 --checkpoint kept --quiet");
  assert.equal(code, 0, err);
  return place;
}

/** The bytes of a file there. */
const size = async (place: Place, name: string) => (await Deno.stat(`${place.path}/${name}`)).size;

Deno.test("convert writes a module, a module beside its WebAssembly, and a page", async () => {
  await using place = await trained();
  const run = async (words: string) => {
    const { code, out, err } = await place.run(`convert kept/best.json ${words}`);
    assert.equal(code, 0, err);
    return { out, err };
  };
  const { out } = await run("model.js");
  assert.match(out, /written as model\.js \(module, 2\d{4} bytes\), model\.d\.ts; optimizer and history stay behind/);
  await run("plain.js --no-wasm");
  await run("own.js --wasm-file");
  await run("page.html");
  assert.ok(await size(place, "plain.js") <= 9000);
  assert.ok(await size(place, "model.js") <= 22000);
  assert.ok(await size(place, "own.wasm") < 9500);
  const program = `
    const x = Float32Array.from({ length: 50 }, (_, i) => Math.sin(i)), found = [];
    for (const name of ["model", "plain", "own"]) {
      const { info, predict, useWasm } = await import(\`./\${name}.js\`);
      await useWasm?.();
      found.push({ engine: info.engine, ...predict(x) });
    }
    console.log(JSON.stringify(found));`;
  await Deno.writeTextFile(`${place.path}/main.js`, program);
  const { out: said, err } = await runDeno(["run", `--allow-read=${place.path}`, "main.js"], { cwd: place.path });
  const [inline, plain, own] = JSON.parse(said || `"${err}"`);
  assert.deepEqual([inline.engine, plain.engine, own.engine], ["WebAssembly", "JavaScript", "WebAssembly"]);
  for (const { probabilities, attention } of [plain, own]) {
    assert.deepEqual({ probabilities, attention }, {
      probabilities: inline.probabilities,
      attention: inline.attention,
    });
  }
  assert.equal(inline.attention.length, 10);
  // Again: what was there is kept.
  const again = await run("model.js --no-wasm");
  assert.match(again.err, /note: the file that was there is kept as "model\.1\.js"/);
});

Deno.test("plain JavaScript that will be slow is said to be", async () => {
  await using place = await Place.make();
  await place.run("train --epochs 1 --hidden-size 64 --checkpoint kept --quiet");
  const slow = /^note: without WebAssembly 100 steps take about \d+ ms, some 15 times as long: leave --no-wasm out\n$/;
  const { code, err } = await place.run("convert kept/best.json model.js --no-wasm");
  assert.equal(code, 0);
  assert.match(err, slow);
  assert.equal((await place.run("convert kept/best.json other.js")).err, "");
});

Deno.test("what convert cannot make a module of, or where, is one line", async () => {
  await using place = await trained();
  const cases: [words: string, code: number, line: RegExp][] = [
    ["kept/best.json model.js --no-wasm --wasm-file", 2, /--no-wasm and --wasm-file contradict each other/],
    ["kept/best.json model.pt --no-wasm", 2, /--no-wasm is for \.js and \.html, got "model\.pt"/],
    ["kept/best.json model.onnx --wasm-file", 2, /--wasm-file is for \.js, got "model\.onnx"/],
    ["kept/best.json model.html --wasm-file", 2, /--wasm-file is for \.js: a page is one file/],
    [
      "kept/best.json model.mjs",
      2,
      /convert writes \.safetensors, \.pt, \.onnx, \.js, \.html and \.json, got "model\.mjs"/,
    ],
    ["kept/best.json .js", 2, /got "\.js"/],
    ["kept/best.json nowhere/model.js", 1, /cannot write "nowhere\/model\.js": the folder "nowhere" does not exist/],
    ["missing.json model.js", 1, /missing\.json/],
  ];
  for (const [words, code, line] of cases) {
    const found = await place.run(`convert ${words}`);
    assert.match(found.err, line, words);
    assert.match(found.err, /^error: [^\n]+\n$/, words);
    assert.equal(found.code, code, words);
  }
  const evaluated = await place.run("evaluate kept/best.json --no-wasm");
  assert.match(evaluated.err, /--no-wasm belongs to convert, not to evaluate/);
});

Deno.test("help says what convert writes", async () => {
  const { out } = await runDeno(["run", MOD, "help", "convert"]);
  assert.match(out, /convert checkpoints\/best\.json model\.js/);
  assert.match(out, /--no-wasm +convert to \.js or \.html: plain JavaScript alone/);
  assert.match(out, /--wasm-file/);
});
