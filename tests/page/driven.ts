/** A page that is driven from without, as a person would: what is done to it, and what it shows. */

import axe from "npm:axe-core@4.14.1";
import assert from "node:assert/strict";
import type { Page } from "npm:puppeteer-core@25.16.0";
import { MOD, Place, ROOT, runDeno } from "../cli/run.ts";
import { BROWSERS, CHROMIUM_GPU } from "./browsers.ts";

const isCi = Deno.env.has("CI");

/** Milliseconds that a step of the page may take. */
const PATIENCE = 60_000;

// What runs in the page.
declare const document: {
  body: { dataset: Record<string, string> };
  querySelector(selector: string): { dispatchEvent(event: unknown): void };
};
declare const requestAnimationFrame: (run: () => void) => void;
declare const DataTransfer: new () => { items: { add(file: File): void } };
declare const DragEvent: new (name: string, options: object) => unknown;

/** A page in a browser, with a folder for what it hands out. */
export class Driven {
  readonly page: Page;
  readonly place: Place;
  /** What went wrong in it, and the addresses that it asked for. */
  readonly errors: string[] = [];
  readonly requests: string[] = [];

  constructor(page: Page, place: Place) {
    this.page = page;
    this.place = place;
    page.on("pageerror", (error) => this.errors.push(String(error)));
    page.on("request", (request) => this.requests.push(`${request.method()} ${request.url()}`));
  }

  /** Opens an address, and waits until the page can be used. */
  async open(url: string): Promise<void> {
    await this.page.goto(url);
    await this.phase("empty");
  }

  /** Waits for one of the page's phases. */
  async phase(...phases: string[]): Promise<string> {
    const is = `${JSON.stringify(phases)}.includes(document.body.dataset.phase) && document.body.dataset.phase`;
    const handle = await this.page.waitForFunction(is, { timeout: PATIENCE });
    return await handle.jsonValue() as string;
  }

  /** Waits until there is something to train on. */
  async ready(): Promise<void> {
    const found = await this.phase("ready", "refused");
    assert.equal(found, "ready", await this.text("#error"));
  }

  /** Trains to the end. */
  async train(): Promise<void> {
    await this.press("#train");
    await this.ended();
  }

  async ended(): Promise<void> {
    assert.equal(await this.phase("ended", "refused"), "ended", await this.text("#error"));
  }

  /** What an element says. */
  text(selector: string): Promise<string> {
    return this.page.$eval(selector, (element) => element.textContent ?? "");
  }

  /** Drops a file of the tests on the page. */
  async drop(name: string, text: string): Promise<void> {
    await this.page.evaluate(
      (name, text) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([text], name));
        document.querySelector("#drop").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
      },
      name,
      text,
    );
  }

  /** Gives a control another value, as its user would have. */
  async set(selector: string, value: string): Promise<void> {
    await this.page.$eval(selector, (element, value) => {
      (element as unknown as { value: string }).value = value;
      element.dispatchEvent(new Event("change", { bubbles: true }));
    }, value);
  }

  /** Presses a button, once it can be pressed: wherever it is by then, for what is above it may still be drawn. */
  async press(selector: string): Promise<void> {
    await this.page.waitForSelector(`${selector}:not([disabled])`, { timeout: PATIENCE });
    await this.page.$eval(selector, (element) => (element as unknown as { click(): void }).click());
  }

  /** The folder of what it hands out. */
  get downloads(): string {
    return `${this.place.path}/downloads`;
  }

  /** A file that the page hands out, asked for by its button or otherwise. */
  async file(name: string, ask = () => this.press(`[data-file="${name}"]`)): Promise<Uint8Array> {
    await Deno.remove(`${this.downloads}/${name}`).catch(() => {});
    await ask();
    for (let tries = 0, before = -1; tries < 400; tries++) {
      const bytes = await Deno.readFile(`${this.downloads}/${name}`).catch(() => new Uint8Array());
      // It may still be under way.
      if (bytes.length && bytes.length === before) return bytes;
      before = bytes.length;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`${name} did not arrive: ${await this.text("#error")}`);
  }

  /**
   * Runs the command that the page prints, in the folder of its own.
   *
   * @param more Words at its end.
   */
  async runCommand(...more: string[]): Promise<void> {
    const command = (await this.text("#the-command")).replace("deno run", "run").replace(" mod.ts ", ` ${MOD} `);
    const { code, err } = await runDeno([...command.split(" "), ...more], { cwd: this.place.path });
    assert.equal(code, 0, err);
  }

  /** Holds that files of the page and of the command are the same bytes. */
  async same(...names: string[]): Promise<void> {
    for (const name of names) {
      const own = new TextDecoder().decode(await this.file(name)), other = this.place.read(`checkpoints/${name}`);
      assert.ok(own === other, `${name} is not the same`);
    }
  }

  /** Measures frames until the result is called: the longest, in milliseconds, and how many. */
  async watchFrames(): Promise<() => Promise<{ longest: number; count: number }>> {
    await this.page.evaluate(() => {
      const frames = { longest: 0, count: 0, isOver: false },
        scope = globalThis as unknown as { frames: typeof frames };
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
      this.page.evaluate(() => {
        const { frames } = globalThis as unknown as { frames: { longest: number; count: number; isOver: boolean } };
        frames.isOver = true;
        return frames;
      });
  }
}

/** A test in each browser that is here, or in some. Where one is missing, it fails in CI and is skipped elsewhere. */
export function testDriven(
  what: string,
  run: (driven: Driven, browser: string) => Promise<void>,
  only?: readonly string[],
): void {
  for (const { name, find, start } of [...BROWSERS, CHROMIUM_GPU]) {
    if (only ? !only.includes(name) : name === CHROMIUM_GPU.name) continue;
    const program = find();
    if (!program) console.log(`${name} is not here: ${isCi ? "a failure" : "skipped"}`);
    Deno.test({
      name: `${name}: ${what}`,
      ignore: !program && !isCi,
      sanitizeResources: false,
      sanitizeOps: false,
      async fn() {
        assert.ok(program, `${name} is missing`);
        await using place = await Place.make();
        await Deno.mkdir(`${place.path}/downloads`);
        const browser = await start(program, `${place.path}/downloads`);
        try {
          const driven = new Driven(await browser.newPage(), place);
          await run(driven, name);
          assert.deepEqual(driven.errors, []);
        } finally {
          await browser.close();
        }
      },
    });
  }
}

/** The page as the task serves it. */
export async function servedByTask(): Promise<{ readonly url: string } & AsyncDisposable> {
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

/** Rules of axe that a page breaks. */
export async function violations({ page }: Driven): Promise<string[]> {
  await page.evaluate(axe.source);
  return await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`);
  });
}
