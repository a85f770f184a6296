/**
 * The page that trains, driven as a person would: a file goes in, a checkpoint comes out, and the command that the page
 * prints writes the same bytes.
 */

import assert from "node:assert/strict";
import { ROOT, runDeno } from "../cli/run.ts";
import { servedByTask, testDriven, violations } from "./driven.ts";

const moves = await Deno.readTextFile(`${ROOT}/tests/testdata/own/moves.csv`);
const server = await servedByTask();
globalThis.addEventListener("unload", () => void server[Symbol.asyncDispose]());

testDriven("trains on a dropped file, and the printed command writes the same bytes", async (driven, browser) => {
  const { place } = driven;
  place.write("moves.csv", moves);
  await driven.open(server.url);
  await driven.drop("moves.csv", moves);
  await driven.ready();
  assert.match(await driven.text("#data"), /3 classes/);
  // On a busy machine, frames are long however little the page does.
  const idle = await driven.watchFrames();
  await new Promise((done) => setTimeout(done, 500));
  const { longest: least } = await idle(), frames = await driven.watchFrames();
  await driven.train();
  const { longest, count } = await frames();
  console.log(
    `${browser}: the longest of ${count} frames while training took ${longest.toFixed(1)} ms, ${
      least.toFixed(1)
    } ms before`,
  );
  // The report says how many threads there were: the page leaves a core to itself.
  const threads = String(Math.max(1, navigator.hardwareConcurrency - 1));
  await driven.runCommand("--threads", threads, "--report", "checkpoints/report.html");
  await driven.same("last.json", "best.json", "report.html");
  for (const name of ["best.onnx", "best.js"]) {
    const { code, err } = await place.run(["convert", "checkpoints/best.json", `checkpoints/${name}`]);
    assert.equal(code, 0, err);
  }
  await driven.same("best.onnx", "best.js");
  const { code, out, err } = await place.run(["evaluate", "downloads/last.json"]), score = await driven.text("#score");
  assert.equal(code, 0, err);
  assert.ok(out.includes(score), `${out}\nis not\n${score}`);
});

testDriven("nothing leaves the page or its worker", async (driven, browser) => {
  const { page } = driven;
  let heard = 0;
  await using outside = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    heard++;
    return new Response("", { headers: { "access-control-allow-origin": "*" } });
  });
  const there = `http://127.0.0.1:${outside.addr.port}/`;
  await driven.open(server.url);
  const before = driven.requests.length;
  await driven.drop("secret.csv", moves);
  await driven.ready();
  await driven.train();
  await driven.file("last.json");
  const own = driven.requests.filter((request) => !/^GET (blob|data):/.test(request));
  for (const request of own) assert.match(request, new RegExp(`^GET ${server.url}[\\w.-]*$`));
  assert.ok(before > 0);
  // Neither can be made to send: not by the page, nor by what runs in its worker.
  const send = async (url: string) =>
    await fetch(url, { method: "POST", body: "secret" }).then(() => "sent", () => "refused");
  assert.equal(await page.evaluate(send, there), "refused");
  assert.equal(await page.evaluate(send, server.url), "refused");
  if (browser === "Chromium") {
    const [worker] = page.workers();
    assert.ok(worker);
    assert.equal(await worker.evaluate(send, there), "refused");
    assert.equal(await worker.evaluate(send, server.url), "refused");
  }
  assert.equal(heard, 0);
  // Firefox says so, too.
  for (const error of driven.errors.splice(0)) assert.match(error, /connect-src/);
});

testDriven("can be paused and stopped, and what was stopped is resumed by the printed command", async (driven) => {
  const { page, place } = driven;
  place.write("moves.csv", moves);
  await driven.open(server.url);
  await driven.drop("moves.csv", moves);
  await driven.ready();
  await driven.set("#f-training-epochs", "8000");
  await driven.ready();
  await driven.press("#train");
  await page.waitForSelector("#curves svg");
  await driven.press("#pause");
  await driven.phase("paused");
  const shown = await driven.text("#left");
  await driven.press("#pause");
  await driven.phase("training");
  await page.waitForFunction(`document.querySelector("#left").textContent !== ${JSON.stringify(shown)}`);
  await driven.press("#stop");
  await driven.ended();
  assert.match(await driven.text("#status"), /^Stopped after epoch \d+/);
  const stopped = new TextDecoder().decode(await driven.file("last.json"));
  place.write("last.json", stopped);
  await driven.runCommand();
  const resumed = place.read("checkpoints/last.json");
  assert.notEqual(resumed, stopped);
  const whole = ["--sequence-column", "id", "--time-column", "t", "--label-column", "kind", "--epochs", "8000"];
  const { code, err } = await place.run(["train", "moves.csv", ...whole, "--simd", "plain", "--checkpoint", "whole"]);
  assert.equal(code, 0, err);
  assert.equal(resumed, place.read("whole/last.json"));
}, ["Chromium"]);

testDriven("works on one thread where a host of files sets no headers", async (driven) => {
  const folder = `${driven.place.path}/dist`;
  const { code, err } = await runDeno([
    "run",
    `--lock=${ROOT}/scripts/deno.lock`,
    "-A",
    `${ROOT}/scripts/dist/main.ts`,
    folder,
  ]);
  assert.equal(code, 0, err);
  const types: Record<string, string> = {
    html: "text/html",
    css: "text/css",
    js: "text/javascript",
    svg: "image/svg+xml",
  };
  await using host = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async ({ url }) => {
    const path = new URL(url).pathname.replace(/\/$/, "/index.html");
    const bytes = await Deno.readFile(`${folder}/page${path}`).catch(() => undefined);
    return bytes
      ? new Response(bytes, { headers: { "content-type": types[path.split(".").at(-1)!]! } })
      : new Response(null, { status: 404 });
  });
  await driven.open(`http://127.0.0.1:${host.addr.port}/`);
  assert.equal(await driven.page.evaluate("crossOriginIsolated"), false);
  await driven.page.click("[data-sample=sums]");
  await driven.ready();
  await driven.train();
  assert.match(await driven.text("#device"), /plain SIMD/);
  await driven.runCommand();
  await driven.same("last.json", "best.json");
}, ["Chromium"]);

testDriven("trains on WebGPU, and comes to what the processor does", async (driven) => {
  const { page } = driven;
  await driven.open(server.url);
  await page.click("[data-sample=sums]");
  await driven.ready();
  await driven.set("#f-training-epochs", "5");
  const losses: number[][] = [];
  for (const [device, words] of [["", /plain SIMD/], ["webgpu", /WebGPU/]] as const) {
    await driven.set("#f-device-device", device);
    await driven.ready();
    await driven.train();
    assert.match(await driven.text("#device"), words);
    const { training } = JSON.parse(new TextDecoder().decode(await driven.file("last.json")));
    losses.push((training.state.history as { trainLoss: number }[]).map(({ trainLoss }) => trainLoss));
  }
  const [processor, card] = losses;
  assert.equal(card!.length, 5);
  assert.notDeepEqual(card, processor);
  card!.forEach((loss, i) => assert.ok(Math.abs(loss - processor![i]!) < 1e-4, `${card} is not ${processor}`));
}, ["Chromium with WebGPU"]);

testDriven("says what is wrong with data in its own words, and takes another answer", async (driven) => {
  const { page } = driven;
  await driven.open(server.url);
  await driven.drop("plain.csv", "a,b,c\n1,2,3\n4,5,6\n7,8,9\n1,5,9\n2,4,8\n3,3,7\n");
  assert.equal(await driven.phase("ready", "refused"), "refused");
  const error = await driven.text("#error");
  assert.match(error, /plain\.csv.*choose “label” for a column/);
  assert.doesNotMatch(error, /--|labelColumns/);
  await driven.set("#column-2", "label");
  await driven.phase("ready");
  assert.equal(await driven.text("#error"), "");
  await driven.set("#f-model-hiddenSize", "0");
  await driven.phase("refused");
  assert.match(await driven.text("#error"), /“units” must be an integer from 1/);
  await page.waitForSelector("#f-model-hiddenSize[aria-invalid=true]");
  await driven.set("#f-model-hiddenSize", "4");
  await driven.phase("ready");
}, ["Chromium"]);

testDriven("can be used by keyboard alone", async (driven, browser) => {
  const { page } = driven;
  const focused = () =>
    page.evaluate("(({ id, dataset }) => id || dataset.sample || '')(document.activeElement)") as Promise<string>;
  const tabTo = async (name: string) => {
    for (let presses = 0; presses < 120; presses++) {
      if (await focused() === name) return;
      await page.keyboard.press("Tab");
    }
    throw new Error(`the keyboard does not reach ${name}`);
  };
  await driven.open(server.url);
  await tabTo("choose");
  await tabTo("moves");
  await page.keyboard.press("Enter");
  await driven.ready();
  await tabTo("column-2");
  await tabTo("f-training-epochs");
  await tabTo("train");
  await page.keyboard.press("Enter");
  await driven.ended();
  // The focus has not been lost on a button that was disabled.
  assert.equal(await focused(), "train", browser);
  await tabTo("file-last-json");
  const text = new TextDecoder().decode(await driven.file("last.json", () => page.keyboard.press("Enter")));
  assert.match(text, /"format":/);
});

const LOOKED_AT = { light: ["moves", "reviews", "sales"], dark: ["moves", "reviews", "sums"] };

for (const [scheme, samples] of Object.entries(LOOKED_AT)) {
  testDriven(`breaks no rule of accessibility, ${scheme}, and fits a phone`, async (driven) => {
    const { page } = driven, wrong: Record<string, string[]> = {}, wide: string[] = [];
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    const look = async (what: string) => {
      for (const width of [1200, 390]) {
        await page.setViewport({ width, height: 844 });
        const found = await violations(driven);
        if (found.length) wrong[`${what}, ${width}`] = found;
        const full = await page.evaluate("document.documentElement.scrollWidth") as number;
        if (full > width) wide.push(`${what}: ${full} of ${width}`);
      }
    };
    await driven.open(server.url);
    await look("empty");
    for (const sample of samples) {
      await page.click(`[data-sample=${sample}]`);
      await page.waitForFunction("document.body.dataset.phase === 'ready' && !document.querySelector('#curves svg')");
      await page.$eval("#others", (details) => details.setAttribute("open", ""));
      await look(`${sample}, ready`);
      await driven.press("#train");
      await page.waitForSelector("#examples figure");
      await page.evaluate("document.body.dataset.phase === 'training' && document.querySelector('#pause').click()");
      await driven.phase("paused", "ended");
      await look(`${sample}, training`);
      await page.evaluate("document.body.dataset.phase === 'paused' && document.querySelector('#pause').click()");
      await driven.ended();
      await look(`${sample}, ended`);
    }
    await driven.drop("plain.csv", "a,b\n1,2\n3,4\n5,6\n");
    await driven.phase("refused");
    await look("refused");
    assert.deepEqual(wrong, {});
    assert.deepEqual(wide, []);
  }, ["Chromium"]);
}
