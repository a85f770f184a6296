/** Where the command line writes, and what it needs for that: asked for once, at the start. */

import { remark } from "./terminal.ts";

/** The folder of a path: "." where it has none. */
export function folderOf(path: string): string {
  const end = path.replaceAll("\\", "/").lastIndexOf("/");
  return end < 0 ? "." : end === 0 ? "/" : path.slice(0, end);
}

/** A command that runs this program with more permissions. */
export function commandWith(flags: string, args: readonly string[]): string {
  const quote = (word: string) => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
  const here = `file://${Deno.cwd()}/`;
  const program = Deno.mainModule.startsWith(here) ? Deno.mainModule.slice(here.length) : Deno.mainModule;
  return ["deno run", flags, quote(program), ...args.map(quote)].join(" ");
}

/**
 * Whether a path may be read and written; asks on a terminal, where a later question would stop the training.
 *
 * @param what What will not be written otherwise, for the remark that says so with the command that allows it.
 */
export async function mayWrite(path: string, what: string): Promise<boolean> {
  const wanted = (["read", "write"] as const).map((name) => ({ name, path }));
  const terminal = Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
  for (const descriptor of wanted) {
    let { state } = await Deno.permissions.query(descriptor);
    if (state === "prompt" && terminal) ({ state } = await Deno.permissions.request(descriptor));
    if (state !== "granted") {
      const command = commandWith(`--allow-read=${path} --allow-write=${path}`, Deno.args);
      remark(`note: ${what} will not be written, for lack of permission; to allow it: ${command}`);
      return false;
    }
  }
  return true;
}

/** An error of the file system in words, without the path that Deno adds. */
export function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "the folder does not exist";
  if (error instanceof Deno.errors.NotADirectory) return "its folder is a file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  if (error instanceof Deno.errors.PermissionDenied) return "the system does not allow it";
  return (error as Error).message.split("\n")[0]!;
}
