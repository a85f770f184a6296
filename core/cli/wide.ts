/** `--wide`: the program again, under the flags of V8 with which the wide tiles are fast. */

import { allowingCommand, listed, neededPaths } from "./files.ts";
import { launcher } from "../fleet/launcher.ts";
import { UsageError } from "../job/options.ts";
import type { Arguments } from "./options.ts";

/** They hold from the start of a process on: what sets them later has no effect on WebAssembly. */
const ENGINE = "--v8-flags=--no-wasm-bounds-checks,--experimental-wasm-revectorize";

/** Seconds from which a training is worth a word about the wide tiles, and those that it is watched for first. */
const LONG = 60, WATCHED = 3;
/** Hidden units from which they make a difference that is worth it. */
const MANY_UNITS = 32;

/**
 * Runs a command line in a process of its own under the flags, with the permissions it needs of those that this one has.
 * Returns its exit code.
 *
 * @throws {Error} With the command to type, where this process may not start Deno.
 */
export async function runWide(args: Arguments, words: readonly string[] = args.words): Promise<number> {
  const { device = "wasm", simd = "auto" } = args.given.device;
  if (args.mpi !== undefined || launcher()) {
    throw new UsageError(`--wide starts Deno again, which cannot be one of several processes: type deno run ${ENGINE}`);
  }
  if (device !== "wasm") throw new UsageError("--wide belongs to --device wasm");
  if (simd !== "auto" && simd !== "wide") throw new UsageError(`--wide and --simd ${simd} contradict each other`);
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  const own = words.filter((word, i) => i >= end || word !== "--wide");
  const deno = await startable();
  if (!deno) {
    throw new Error(`--wide must start Deno again, which takes --allow-run=deno; or type: ${wideCommand(args, own)}`);
  }
  const child = new Deno.Command(deno, {
    args: ["run", ENGINE, ...await permissionFlags(args), Deno.mainModule, ...own],
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  // A terminal sends Ctrl-C to both: this one waits for the other's end. What is sent to this one alone is handed on.
  Deno.addSignalListener("SIGINT", () => {});
  if (Deno.build.os !== "windows") {
    for (const signal of ["SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(signal, () => child.kill(signal));
  }
  return (await child.status).code;
}

/** Deno's name where this process may start it: as it runs, or as it is found, which --allow-run=deno is about. */
async function startable(): Promise<string | undefined> {
  if (Deno.build.standalone) return undefined;
  for (const command of [Deno.execPath(), "deno"]) {
    if ((await Deno.permissions.query({ name: "run", command })).state === "granted") return command;
  }
  return undefined;
}

/** The command that runs a command line under the flags. */
function wideCommand(args: Arguments, words: readonly string[]): string {
  return allowingCommand(args, words, [ENGINE]);
}

/** The permissions to read and write that a command line needs and this process has. */
async function permissionFlags(args: Arguments): Promise<string[]> {
  const flags: string[] = [];
  for (const [name, paths] of Object.entries(neededPaths(args)) as ["read" | "write", Set<string>][]) {
    const granted = async (path?: string) => (await Deno.permissions.query({ name, path })).state === "granted";
    if (await granted()) flags.push(`--allow-${name}`);
    else {
      const allowed: string[] = [];
      for (const path of [...paths].map(listed)) if (await granted(path)) allowed.push(path);
      if (allowed.length) flags.push(`--allow-${name}=${allowed.join(",")}`);
    }
  }
  return flags;
}

/** What of a model the hint depends on. */
interface HintedModel {
  readonly device: { readonly description: string };
  readonly config: { readonly hiddenSize: number };
}

/**
 * What to say to a long training that the wide tiles would shorten, once it is known to be one; undefined before, and where
 * they would not.
 *
 * @param spent Seconds so far.
 * @param left Seconds to go, as it looks.
 * @param isAlone Whether it is the only process that trains.
 */
export function wideHint(
  { device, config: { hiddenSize } }: HintedModel,
  spent: number,
  left: number,
  isAlone = true,
): string | undefined {
  // Only x86 has the wider vectors, and only the relaxed instructions use them.
  const gains = Deno.build.arch === "x86_64" && hiddenSize >= MANY_UNITS &&
    /relaxed SIMD(?! in wide)/.test(device.description);
  if (!gains || spent < WATCHED || spent + left < LONG) return undefined;
  return isAlone
    ? "note: --wide may halve the time: it starts Deno again under flags that lift WebAssembly's bounds checks"
    : `note: deno run ${ENGINE} may halve the time: these flags lift WebAssembly's bounds checks`;
}
