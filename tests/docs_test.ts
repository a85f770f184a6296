/** Every command and every block of code of the documentation runs, in the order of its page. */

import assert from "node:assert/strict";
import { LAYERS } from "../core/model/layers/mod.ts";
import { LOSS_NAMES } from "../core/model/losses.ts";
import { ROOT, runDeno } from "./cli/run.ts";
import { blocksOf, checkPrinted, Clone, commandsOf, leftOut, Reader } from "./pages.ts";

/** README, CHANGELOG, and every page below .github. */
function pages(folder = ".github"): string[] {
  const below = Array.from(Deno.readDirSync(`${ROOT}/${folder}`)).flatMap(({ name, isDirectory }) =>
    isDirectory ? pages(`${folder}/${name}`) : name.endsWith(".md") ? [`${folder}/${name}`] : []
  );
  return folder === ".github" ? ["README.md", "CHANGELOG.md", ...below.sort()] : below;
}

for (const page of pages()) {
  const blocks = blocksOf(Deno.readTextFileSync(`${ROOT}/${page}`));
  if (!blocks.length) continue;
  Deno.test(`what ${page} says runs, in its order`, async (test) => {
    using reader = new Reader(page);
    const modules = blocks.filter((block) => block.language === "ts" && !leftOut(block));
    if (modules.length) await test.step("the types of its modules", () => reader.check(modules));
    for (const block of blocks) {
      const reason = leftOut(block), first = block.text.split("\n")[0]!.slice(0, 60);
      const name = `line ${block.line}: ${first}${reason ? ` (left out: ${reason})` : ""}`;
      await test.step({ name, ignore: reason !== undefined, fn: () => reader.follow(block) });
    }
  });
}

/** The code within the prose of all pages, with its place. */
function inlineCode(): { place: string; code: string }[] {
  return pages().flatMap((page) => {
    const prose = Deno.readTextFileSync(`${ROOT}/${page}`).replace(
      /^( *)```[^]*?^ *```$/gm,
      (block) => block.replace(/[^\n]/g, ""),
    );
    return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code], _) => ({ place: page, code: code! }));
  });
}

Deno.test("a task or a script that the prose names is there, and its flags too", async () => {
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${ROOT}/deno.json`)) as {
    tasks: Record<string, { command: string }>;
  };
  const helps = new Map<string, Promise<string>>();
  const help = async (script: string) => {
    const { out } = await runDeno(["run", "-A", "--lock=scripts/deno.lock", script, "--help"]);
    return out;
  };
  let seen = 0;
  for (const { place, code } of inlineCode()) {
    for (const [path] of code.matchAll(/\b(?:scripts|tests|core)\/[\w./-]+\w/g)) {
      assert.ok(Deno.statSync(`${ROOT}/${path}`), `${place}: ${path}`);
      seen++;
    }
    const task = code.match(/\bdeno task ([\w:]+)/)?.[1];
    if (!task) continue;
    assert.ok(tasks[task], `${place}: there is no task ${task}`);
    seen++;
    const script = tasks[task].command.match(/ (scripts\/\S+\.ts)$/)?.[1];
    const flags = [...code.matchAll(/ --([\w-]+)/g)].map(([, flag]) => flag!);
    if (!script || !flags.length) continue;
    if (!helps.has(script)) helps.set(script, help(script));
    for (const flag of flags) {
      assert.match(await helps.get(script)!, new RegExp(`^ +--${flag} `, "m"), `${place}: ${code}`);
    }
  }
  assert.ok(seen > 10);
});

Deno.test("every layer and every loss has its place on the page about networks", () => {
  const page = Deno.readTextFileSync(`${ROOT}/.github/docs/networks.md`);
  for (const name of Object.keys(LAYERS)) assert.match(page, new RegExp(`^\\|.*\`${name}\\(.*\\|`, "m"), name);
  for (const name of LOSS_NAMES) assert.match(page, new RegExp(`^\\| \`${name}\` `, "m"), name);
});

Deno.test("what a reader leaves in the clone disturbs neither tests, format, lint nor package", async () => {
  using clone = new Clone();
  const leave = (path: string, text: string) => {
    Deno.mkdirSync(`${clone.path}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    Deno.writeTextFileSync(`${clone.path}/${path}`, text);
  };
  leave("data/JapaneseVowels_TEST.ts", "@problemName X\n@classLabel true 1 2\n@data\n1,2,3:1\n");
  leave("data/own_test.ts", "Deno.test('no', () => { throw new Error('not ours') })");
  leave("data/notes.md", "#  Notes\n```ts\nnot code (\n```\n");
  leave("vowels/last.json", `{"a":1,   "b":2}`);
  leave("run.html", "<html><p>x");
  leave("my.ts", "var x  = 1;\n");
  const ran = await Promise.all([
    runDeno(["fmt", "--check"], { cwd: clone.path }),
    runDeno(["lint"], { cwd: clone.path }),
    runDeno(["test", "--no-run", "--no-check", "--doc", "--lock=tests/deno.lock"], { cwd: clone.path }),
    runDeno(["publish", "--dry-run", "--allow-dirty", "--no-check"], { cwd: clone.path }),
  ]);
  for (const { code, out, err } of ran) assert.equal(code, 0, out + err);
  assert.doesNotMatch(ran[3]!.err, /vowels|run\.html|my\.ts|_TEST|\/tests\/|\/scripts\//);
});

Deno.test("blocks are found with their lines, languages and reasons", () => {
  const page = "a\n\n```sh no-test network\nnpm x\n```\n\n  ```ts\n  let a;\n    b();\n  ```\n```\nplain\n```\n";
  assert.deepEqual(blocksOf(page), [
    { line: 3, language: "sh", reason: "network", text: "npm x" },
    { line: 7, language: "ts", reason: undefined, text: "let a;\n  b();" },
  ]);
  for (const wrong of ["```\n$ deno run x\n```", "```sh skip\nls\n```", "```sh\nls", "```text\ndeno task x\n```"]) {
    assert.throws(() => blocksOf(wrong), /line 1/);
  }
  const console = { line: 1, language: "console", text: "$ a \\\n  b\nout\n$ c\n" };
  assert.deepEqual(commandsOf(console), [{ command: "a \\\n  b", printed: ["out"] }, { command: "c", printed: [""] }]);
});

Deno.test("what a page says is printed must come, in order, with any numbers", () => {
  const actual = "epoch 1/9   loss 0.25   1.5 ms\nepoch 2/9   loss -1e-7   2.0 s\ndone in 3 s: best\n";
  checkPrinted(actual, ["epoch  1/100   loss 0.6984   9.9 ms", "…", "done in 203.1 ms: best"]);
  checkPrinted(actual, ["device  whatever", "epoch 2/3 … 1 ms", ""]);
  for (const wrong of [["epoch 1/9  loss 0.25"], ["done in 3 s: best", "epoch 1/9 …"], ["done in words: best"]]) {
    assert.throws(() => checkPrinted(actual, wrong), /which is not in/);
  }
});
