/**
 * The page that trains, driven as a person would: a file goes in, a checkpoint comes out, and the command that the page
 * prints writes the same bytes.
 */

import assert from "node:assert/strict";
import type { Page } from "npm:puppeteer-core@25.16.0";
import { MOD, Place, ROOT, runDeno } from "../cli/run.ts";
import { BROWSERS } from "./browsers.ts";

const isCi = Deno.env.has("CI"), DATA = `${ROOT}/tests/testdata/own`;

/** Milliseconds that a step of the page may take. */
const PATIENCE = 60_000;

/** The page, served by the task itself. */
async function served(): Promise<{ url: string } & AsyncDisposable> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", `--lock=${ROOT}/scripts/deno.lock`, "-A", `${ROOT}/scripts/page/main.ts`, "--port", "0"],
    stdout: "piped",
    stderr: "inherit",
    stdin: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    assert.ok(!done, "the task has ended");
    text += value;
  }
  return {
    url: text.trim(),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await reader.cancel();
      await child.status;
    },
  };
}

/** Waits for one of the page's phases. */
async function phase(page: Page, ...phases: string[]): Promise<string> {
  const is = `${JSON.stringify(phases)}.includes(document.body.dataset.phase) && document.body.dataset.phase`;
  const handle = await page.waitForFunction(is, { timeout: PATIENCE });
  return await handle.jsonValue() as string;
}

const textOf = (page: Page, selector: string) => page.$eval(selector, (element) => element.textContent ?? "");

/** A file that the page hands out. */
async function downloaded(page: Page, folder: string, name: string): Promise<string> {
  await page.click(`[data-file="${name}"]`);
  for (let tries = 0; tries < 200; tries++) {
    const text = await Deno.readTextFile(`${folder}/${name}`).catch(() => "");
    // It may still be under way.
    if (text.trimEnd().endsWith("}")) return text;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`${name} did not arrive`);
}

/** Measures the frames of a page until it is told to stop: the longest, in milliseconds. */
async function watchFrames(page: Page): Promise<() => Promise<{ longest: number; count: number }>> {
  await page.evaluate(() => {
    const frames = { longest: 0, count: 0, isOver: false }, scope = globalThis as unknown as { frames: typeof frames };
    let last = performance.now();
    const next = () => {
      const now = performance.now();
      frames.longest = Math.max(frames.longest, now - last);
      frames.count++;
      last = now;
      if (!frames.isOver) requestAnimationFrame(next);
    };
    scope.frames = frames;
    requestAnimationFrame(next);
  });
  return () =>
    page.evaluate(() => {
      const { frames } = globalThis as unknown as { frames: { longest: number; count: number; isOver: boolean } };
      frames.isOver = true;
      return frames;
    });
}

declare const document: { body: { dataset: Record<string, string> } };
declare const requestAnimationFrame: (run: () => void) => void;

for (const { name, find, start } of BROWSERS) {
  const program = find();
  if (!program) console.log(`${name} is not here: ${isCi ? "a failure" : "skipped"}`);
  Deno.test({
    name: `${name} trains on a dropped file, and the printed command writes the same bytes`,
    ignore: !program && !isCi,
    sanitizeResources: false,
    sanitizeOps: false,
    async fn() {
      assert.ok(program, `${name} is missing`);
      await using place = await Place.make();
      await Deno.copyFile(`${DATA}/moves.csv`, `${place.path}/moves.csv`);
      const downloads = `${place.path}/downloads`;
      await Deno.mkdir(downloads);
      await using server = await served();
      const browser = await start(program, downloads);
      try {
        const page = await browser.newPage(), errors: string[] = [];
        page.on("pageerror", (error) => errors.push(String(error)));
        await page.goto(server.url);
        await phase(page, "empty");
        const input = await page.$("#choose") as unknown as { uploadFile(path: string): Promise<void> };
        await input.uploadFile(`${place.path}/moves.csv`);
        assert.equal(await phase(page, "ready", "refused"), "ready", await textOf(page, "#error"));
        assert.match(await textOf(page, "#data"), /3 classes/);
        const frames = await watchFrames(page);
        await page.click("#train");
        assert.equal(await phase(page, "ended", "refused"), "ended", await textOf(page, "#error"));
        const { longest, count } = await frames();
        console.log(`${name}: the longest of ${count} frames while training took ${longest.toFixed(1)} ms`);
        const last = await downloaded(page, downloads, "last.json"),
          best = await downloaded(page, downloads, "best.json");
        const score = await textOf(page, "#score"), command = await textOf(page, "#the-command");
        assert.deepEqual(errors, []);

        const words = command.replace("deno run", "run").replace(" mod.ts ", ` ${MOD} `).split(" ");
        const { code, err } = await runDeno(words, { cwd: place.path });
        assert.equal(code, 0, err);
        assert.equal(place.read("checkpoints/last.json"), last);
        assert.equal(place.read("checkpoints/best.json"), best);
        const evaluated = await place.run(["evaluate", "downloads/last.json"]);
        assert.equal(evaluated.code, 0, evaluated.err);
        assert.ok(evaluated.out.includes(score), `${evaluated.out}\nis not\n${score}`);
      } finally {
        await browser.close();
      }
    },
  });
}
