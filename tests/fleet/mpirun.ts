/** Runs the command line as several processes under Open MPI's mpirun. */

import { ENVIRONMENT } from "../../scripts/fleet/launch.ts";
import { MOD, type Place, type Result } from "../cli/run.ts";

/** Whether mpirun is here, and Open MPI's library with it: where CI is set it must be. */
export const HAS_MPI = await works("mpirun", ["--version"], /Open MPI/);

async function works(command: string, args: string[], says: RegExp): Promise<boolean> {
  try {
    const { stdout } = await new Deno.Command(command, { args, stdout: "piped", stderr: "null" }).output();
    return says.test(new TextDecoder().decode(stdout));
  } catch {
    return false;
  }
}

/** Without what containers forbid. */
const MPI = { ...ENVIRONMENT, OMPI_MCA_btl_vader_single_copy_mechanism: "none" };

/** How a run is started. */
export interface Started {
  readonly permissions?: readonly string[];
  /** A line of shell before Deno: $OMPI_COMM_WORLD_RANK is the process. */
  readonly before?: string;
  /** What starts Deno. */
  readonly wrapper?: string;
  readonly env?: Record<string, string>;
}

/** Starts processes in a place. */
export function spawnTogether(
  place: Place,
  size: number,
  args: string,
  { permissions = ["-A"], before = ":", wrapper = "", env }: Started = {},
): Deno.ChildProcess {
  const deno = [Deno.execPath(), "run", "--no-prompt", ...permissions, MOD].map((word) => `'${word}'`).join(" ");
  return new Deno.Command("mpirun", {
    args: ["-n", String(size), "sh", "-c", `${before}; exec ${wrapper} ${deno} ${args}`],
    cwd: place.path,
    env: { ...MPI, ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs processes in a place to their end. */
export async function runMpi(place: Place, size: number, args: string, started?: Started): Promise<Result> {
  const { code, stdout, stderr } = await spawnTogether(place, size, args, started).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: code ? ownLines(text(stderr)) : text(stderr) };
}

/** What our processes wrote to standard error: mpirun adds a box where one of them fails. */
export function ownLines(err: string): string {
  return err.split("\n").filter((line) => /^(error|note|warning|stopp)/.test(line)).map((line) => `${line}\n`).join("");
}
