/**
 * What the pages of the documentation tell a reader to type, run in the order of the page in a copy of the source, which
 * holds what the page made before.
 *
 * Blocks are marked by the first word behind their fence: `sh` (commands), `console` (commands behind `$`, and what they
 * print), `ts` (a module beside the page), `python`. Behind it may stand `no-test REASON`: such a block is left out, and
 * that is said. A REASON that begins with a word of {@linkcode GIVEN} is no reason where the environment has it. Blocks of
 * any other language are not run.
 *
 * @module
 */

import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { dirname } from "node:path";
import { ROOT } from "./cli/run.ts";

/** What may be there: by the first word of a reason, its value in the environment. */
export const GIVEN: Readonly<Record<string, string | undefined>> = {
  /** A Python that has PyTorch. */
  PyTorch: Deno.env.get("GRUTTO_PYTHON"),
  /** A folder with the data sets that the pages name, which becomes `data`. */
  data: Deno.env.get("GRUTTO_DATA"),
  /** Any value: WebGPU finds an adapter. */
  GPU: Deno.env.get("GRUTTO_GPU"),
};

/** A `head` that reads to the end: who writes to the usual one ends with 141, which a reader's shell does not tell. */
const HEAD = 'head() { command head "$@"; cat > /dev/null; }';

/** A block may take so many milliseconds. */
const LIMIT = 180_000;

/** The project's own files: what a clone holds. */
const OWN = [
  ...["core", "scripts", "tests", ".ci", ".github"],
  ...["mod.ts", "deps.ts", "deno.json", "deno.lock", "README.md", "CHANGELOG.md", "LICENSE"],
];

/** A copy of the source without what git ignores or does not know, removed afterwards. */
export class Clone implements Disposable {
  /** Its folder. */
  readonly path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "grutto-clone-" }));

  constructor() {
    for (const name of OWN) cpSync(`${ROOT}/${name}`, `${this.path}/${name}`, { recursive: true });
    if (GIVEN.data) cpSync(GIVEN.data, `${this.path}/data`, { recursive: true });
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** A block of code on a page. */
export interface Block {
  /** The line of its fence, from 1. */
  readonly line: number;
  readonly language: string;
  /** Why it is not run. */
  readonly reason?: string;
  readonly text: string;
}

/** The languages that are run. */
const LANGUAGES = new Set(["sh", "console", "ts", "python"]);

/**
 * The blocks of a page that are to be run, in order.
 *
 * @throws {Error} If a block looks like commands and is not marked as such, or a fence is not closed.
 */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; indent: number; info: string; lines: string[] } | undefined;
  for (const [i, text] of page.split("\n").entries()) {
    const [, indent, info] = text.match(/^( *)```(.*)$/) ?? [];
    if (open && info !== undefined) {
      if (info !== "") throw new Error(`line ${i + 1}: a fence within a block`);
      const [, language = "", reason] = open.info.match(/^(\S*)(?: no-test (.+))?$/) ??
        assert.fail(`line ${open.line}: "${open.info}" must be LANGUAGE or LANGUAGE no-test REASON`);
      const code = open.lines.map((line) => line.slice(open!.indent)).join("\n");
      if (LANGUAGES.has(language)) blocks.push({ line: open.line, language, reason, text: code });
      else if (/^\$ |^(deno|npm|npx|bunx?|node|python3?) /m.test(code)) {
        throw new Error(`line ${open.line}: commands must stand in a block of sh or console, not "${open.info}"`);
      }
      open = undefined;
    } else if (open) open.lines.push(text);
    else if (info !== undefined) open = { line: i + 1, indent: indent!.length, info, lines: [] };
  }
  if (open) throw new Error(`line ${open.line}: the block is not closed`);
  return blocks;
}

/** Why a block is left out here; undefined where it runs. */
export function leftOut({ reason }: Block): string | undefined {
  return reason && !GIVEN[reason.split(" ")[0]!] ? reason : undefined;
}

/** The commands of a console block, each with what the page says that it prints. */
export function commandsOf({ line, text }: Block): { command: string; printed: string[] }[] {
  const commands: { command: string; printed: string[] }[] = [];
  let continued = false;
  for (const row of text.split("\n")) {
    if (continued) commands.at(-1)!.command += `\n${row}`;
    else if (row.startsWith("$ ")) commands.push({ command: row.slice(2), printed: [] });
    else if (commands.length) commands.at(-1)!.printed.push(row);
    else throw new Error(`line ${line}: a console block begins with "$ "`);
    continued = continued || row.startsWith("$ ") ? row.endsWith("\\") : false;
  }
  return commands;
}

/** A number, with its unit of time: what differs from machine to machine and from run to run. */
const NUMBER = /(-?\d[\d.,]*(?:e[-+]?\d+)?(?: m?s\b)?)/;

/** What a line of a page stands for: any numbers for its numbers, anything for `…`. */
function pattern(line: string): RegExp {
  const parts = line.trim().replace(/ +/g, " ").split("…").map((part) =>
    part.split(NUMBER).map((text, i) => i % 2 ? NUMBER.source : RegExp.escape(text)).join("")
  );
  return new RegExp(`^${parts.join(".*")}$`);
}

/**
 * Holds what a command printed against what the page says: every line of the page must come, in order, with any numbers.
 * `…` stands for any text, or by itself for any lines. What it runs on is the machine's business.
 */
export function checkPrinted(actual: string, printed: readonly string[]): void {
  const lines = actual.split("\n").map((line) => line.trim().replace(/ +/g, " "));
  let at = 0;
  for (const wanted of printed) {
    if (wanted.trim() === "" || wanted.trim() === "…" || /^device /.test(wanted)) continue;
    const found = lines.findIndex((line, i) => i >= at && pattern(wanted).test(line));
    assert.ok(found >= 0, `the page says\n  ${wanted}\nwhich is not in\n${actual}`);
    at = found + 1;
  }
}

/** A page that is being followed in a clone of its own, as in one terminal: the folder one is in stays from block to block. */
export class Reader implements Disposable {
  readonly clone = new Clone();
  readonly #page: string;
  #folder = this.clone.path;

  /** @param page Its path in the repository. */
  constructor(page: string) {
    this.#page = `${this.clone.path}/${page}`;
  }

  /** Checks the types of all modules of the page at once. */
  async check(blocks: readonly Block[]): Promise<void> {
    const files = blocks.map((block) => this.#write(block));
    await this.#shell(`deno check ${files.join(" ")}`);
    files.forEach((file) => Deno.removeSync(file));
  }

  /** A module of the page, beside the page: its relative imports count from there. */
  #write({ line, text }: Block): string {
    const file = `${dirname(this.#page)}/block_${line}.ts`;
    Deno.writeTextFileSync(file, text);
    return file;
  }

  /** Does what a block says. */
  async follow(block: Block): Promise<void> {
    switch (block.language) {
      case "sh":
        return void await this.#shell(block.text);
      case "console":
        for (const { command, printed } of commandsOf(block)) checkPrinted(await this.#shell(command), printed);
        return;
      case "ts": {
        const file = this.#write(block);
        await this.#shell(`deno run --no-check -A ${file}`);
        return Deno.removeSync(file);
      }
      case "python":
        return void await this.#shell(`"$GRUTTO_PYTHON" - <<'END'\n${block.text}\nEND`);
    }
  }

  /** Runs commands; what they print. */
  async #shell(commands: string): Promise<string> {
    const state = `${this.clone.path}.folder`;
    try {
      const { success, code, stdout, stderr } = await new Deno.Command("bash", {
        args: ["-euo", "pipefail", "-c", `${HEAD}\n${commands}\npwd > "$FOLDER_FILE"`],
        cwd: this.#folder,
        env: {
          NO_COLOR: "1",
          COLUMNS: "120",
          FOLDER_FILE: state,
          PATH: `${dirname(Deno.execPath())}:${Deno.env.get("PATH") ?? ""}`,
        },
        stdin: "null",
        signal: AbortSignal.timeout(LIMIT),
      }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      assert.ok(success, `exit code ${code}:\n${text(stdout).slice(-2000)}${text(stderr).slice(-2000)}`);
      this.#folder = Deno.readTextFileSync(state).trimEnd();
      return text(stdout);
    } finally {
      await Deno.remove(state).catch(() => {});
    }
  }

  [Symbol.dispose](): void {
    this.clone[Symbol.dispose]();
  }
}
