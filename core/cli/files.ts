/** Where the command line reads and writes, and what it needs for that: asked for once, at the start. */

import { shellWord } from "../display.ts";
import { launcher } from "../fleet/launcher.ts";
import { nameOf } from "../job/words.ts";
import { isSample } from "../job/sample_pairs.ts";
import type { Arguments } from "./options.ts";
import { stdout } from "./stream.ts";
import { remark } from "./terminal.ts";

/** The folder of a path: "." where it has none. */
export function folderOf(path: string): string {
  const end = path.replaceAll("\\", "/").lastIndexOf("/");
  return end < 0 ? "." : end === 0 ? "/" : path.slice(0, end);
}

/** Where checkpoints go. */
export interface Target {
  readonly last: string;
  readonly best: string;
  /** After so many steps. */
  step(step: number): string;
  /** What a file's name says if it is one of these, or one of an earlier run: its number of steps, and that run's number. */
  match(name: string): { readonly step?: number; readonly run?: number } | undefined;
}

/** `PATH.json` is the last checkpoint itself; anything else is a folder. */
export function checkpointTarget(path: string): Target {
  const folder = path.replace(/(?<=.)\/+$/, ""), stem = path.replace(/\.json$/, "");
  const [last, before] = path.endsWith(".json") ? [stem, `${stem}.`] : [`${folder}/last`, `${folder}/`];
  const [lastName, beforeName] = [nameOf(last), nameOf(before)].map(RegExp.escape);
  const pattern = new RegExp(`^(?:${lastName}|${beforeName}best|${beforeName}step-(\\d+))(?:\\.(\\d+))?\\.json$`);
  return {
    last: `${last}.json`,
    best: `${before}best.json`,
    step: (step) => `${before}step-${step}.json`,
    match(name) {
      const [found, step, run] = pattern.exec(name) ?? [];
      const number = (text?: string) => text === undefined ? undefined : Number(text);
      return found === undefined ? undefined : { step: number(step), run: number(run) };
    },
  };
}

/** The paths that a command line needs to read and to write. */
export function neededPaths(args: Arguments): { read: Set<string>; write: Set<string> } {
  const {
    command,
    operands,
    given: { files, pairs },
    checkpoint,
    resume,
    from: start,
    input,
    logFile,
    report,
    tensorboard,
  } = args;
  const read = new Set<string>(), write = new Set<string>();
  const { labelFile, testLabelFile } = files, { targetFile, testTargetFile } = pairs;
  const named = [files.data, files.testData, labelFile, testLabelFile, targetFile, testTargetFile].flat() as (
    | string
    | undefined
  )[];
  const [from, to] = operands;
  switch (command) {
    case "train":
      named.push(...operands);
      if (checkpoint !== undefined) {
        const folder = folderOf(checkpointTarget(checkpoint).last);
        read.add(folder);
        write.add(folder);
      }
      // Its best epoch is in a file next to it, and is copied into another folder too.
      if (resume !== undefined && checkpoint !== undefined) read.add(folderOf(resume));
      if (resume !== undefined && !read.has(folderOf(resume))) read.add(resume);
      named.push(start);
      // Older ones stand there, and are set aside.
      for (const path of [logFile, report]) if (path !== undefined) read.add(folderOf(path)), write.add(folderOf(path));
      if (tensorboard !== undefined) write.add(tensorboard);
      break;
    case "convert":
      named.push(from);
      // It is written beside its place, and then moved there.
      if (to !== undefined) read.add(folderOf(to)), write.add(folderOf(to));
      break;
    case "serve":
      named.push(...operands.map((operand) => servedPath(operand).path));
      break;
    default:
      named.push(checkpoint, ...operands, input);
  }
  for (const path of named) {
    if (path !== undefined && path !== "-" && !isSample(path) && !read.has(folderOf(path))) read.add(path);
  }
  return { read, write };
}

/** The name and the path of what is served: `NAME=PATH`, or a path whose file's name it goes by. */
export function servedPath(operand: string): { readonly name: string; readonly path: string } {
  const [, name, path] = /^([\p{L}\p{M}\p{N}_.-]+)=(.+)$/u.exec(operand) ?? [];
  return path === undefined
    ? { name: nameOf(operand).replace(/\.[^.]*$/, "") || "model", path: operand }
    : { name: name!, path };
}

/** The command that runs this program with the permissions that a command line needs, and flags of the engine. */
export function allowingCommand(
  args: Arguments,
  words: readonly string[] = args.words,
  engine: readonly string[] = [],
): string {
  const flags = Object.entries(neededPaths(args)).filter(([, paths]) => paths.size)
    .map(([name, paths]) => `--allow-${name}=${[...new Set([...paths].map(listed))].join(",")}`);
  if (args.command === "serve") flags.push(`--allow-net=${args.host}:${args.port}`);
  if (args.command === "train" && (args.mpi !== undefined || launcher())) flags.push("--allow-env", "--allow-ffi");
  const here = `file://${Deno.cwd()}/`;
  const program = Deno.mainModule.startsWith(here) ? Deno.mainModule.slice(here.length) : Deno.mainModule;
  return ["deno run", ...[...engine, ...flags, program, ...words].map(shellWord)].join(" ");
}

/** A path as Deno's lists of paths take it: they know no commas, so that a folder above stands for a path with one. */
export function listed(path: string): string {
  return path.includes(",") ? listed(folderOf(path)) : path;
}

/** The words that resume a command line's training from a checkpoint. */
export function resumingWords({ words, resume }: Arguments, last: string): string[] {
  if (resume === last) return [...words];
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  // What a training begins with is behind it.
  const flags = words.slice(0, end).filter((word, i) =>
    !/^--from(=|$)/.test(word) && (i === 0 || words[i - 1] !== "--from")
  );
  const added = last.startsWith("-") ? [`--resume=${last}`] : ["--resume", last];
  return [...flags, ...added, ...words.slice(end)];
}

/**
 * Whether a path may be used; asks on a terminal, where a later question would stop the training.
 *
 * @param what What will not be written otherwise, for the remark that says so with the command that allows it.
 */
export async function mayWrite(
  path: string,
  names: readonly ("read" | "write")[],
  what: string,
  args: Arguments,
): Promise<boolean> {
  const terminal = Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
  // Deno asks at once.
  await stdout.flush(1000);
  for (const name of names) {
    let { state } = await Deno.permissions.query({ name, path });
    if (state === "prompt" && terminal) ({ state } = await Deno.permissions.request({ name, path }));
    if (state !== "granted") {
      remark(`note: ${what} will not be written, for lack of permission; to allow it: ${allowingCommand(args)}`);
      return false;
    }
  }
  return true;
}

/** In words, why a path cannot be written. */
export async function reason(error: unknown, path: string): Promise<string> {
  if (error instanceof Deno.errors.NotFound) {
    const isThere = await Deno.stat(folderOf(path)).then(() => true, () => false);
    return isThere ? "the system allows no such file there" : `the folder "${folderOf(path)}" does not exist`;
  }
  if (error instanceof Deno.errors.NotADirectory) return "its folder is a file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  if (error instanceof Deno.errors.PermissionDenied) return "the system does not allow it";
  if (error instanceof Deno.errors.NotCapable) return "Deno allows it only with --allow-all";
  return systemWords(error as Error);
}

/** What the system says of an error: Deno puts its own call behind that. */
export function systemWords({ message }: Error): string {
  return message.split("\n")[0]!.replace(/(\(os error \d+\)): \w+ .*$/, "$1");
}
