/** Running the command line as a program of its own. */

import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { resolve } from "node:path";

/** The repository's folder. */
export const ROOT = resolve(import.meta.dirname!, "../..");
export const MOD = `${ROOT}/mod.ts`;

export interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Mesa's driver, which WebGPU may find, complains to standard error where this variable is not set. */
const MESA = { XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") ?? tmpdir() };

/** Runs Deno: its exit code and what it wrote. */
export async function runDeno(
  args: readonly string[],
  { cwd = ROOT, input, env }: { cwd?: string; input?: string; env?: Record<string, string> } = {},
): Promise<Result> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1", ...MESA, ...env },
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

/** A folder of its own to run in, removed afterwards; `run` may read and write there, as little as that. */
export class Place implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async make(): Promise<Place> {
    return new Place(await Deno.makeTempDir({ prefix: "grutto-" }));
  }

  /** Runs the command line there. */
  run(args: readonly string[] | string, input?: string): Promise<Result> {
    return this.runWith([`--allow-read=${this.path}`, `--allow-write=${this.path}`], args, input);
  }

  /** Runs it with other permissions. */
  runWith(permissions: readonly string[], args: readonly string[] | string, input?: string): Promise<Result> {
    const words = typeof args === "string" ? args.split(" ") : args;
    return runDeno(["run", "--no-prompt", ...permissions, MOD, ...words], { cwd: this.path, input });
  }

  read(name: string): string {
    return Deno.readTextFileSync(`${this.path}/${name}`);
  }

  write(name: string, text: string): void {
    Deno.writeTextFileSync(`${this.path}/${name}`, text);
  }

  /** The files in it, and in its folders. */
  files(folder = this.path): string[] {
    return Array.from(Deno.readDirSync(folder)).flatMap(({ name, isDirectory }) =>
      isDirectory ? this.files(`${folder}/${name}`) : `${folder}/${name}`.slice(this.path.length + 1)
    ).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** That a run failed with one line of error, said nothing else, and showed no stack. */
export function assertFails({ code, out, err }: Result, expected: number, message: string | RegExp): void {
  assert.equal(code, expected, err);
  assert.match(err, /^error: [^\n]+\n$/);
  if (typeof message === "string") assert.equal(err, `error: ${message}\n`);
  else assert.match(err, message);
  assert.doesNotMatch(err, /\bat .*:\d+:\d+/);
  assert.equal(out, "");
}

/** That a run came to an end, with nothing to remark. */
export function assertWorks({ code, err }: Result): void {
  assert.deepEqual({ code, err }, { code: 0, err: "" });
}
