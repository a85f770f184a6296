/** A command that several processes run together: the first of them speaks and writes. */

import { ALONE, type Fleet, gatherTexts, processName } from "../fleet/fleet.ts";
import { lacksPmi, launcher } from "../fleet/launcher.ts";
import type { Cores } from "../fleet/mpi.ts";
import { UsageError } from "../job/options.ts";
import { plural } from "../job/words.ts";
import { haveMet, isOfAll, meetWithError } from "../train/together.ts";
import { lineOf } from "./hints.ts";
import type { Arguments } from "./options.ts";
import { stderr, stdout } from "./stream.ts";
import { remark, Terminal } from "./terminal.ts";

/** Milliseconds that a process which fails by itself waits for the first to say why. */
const LAST_WORDS = 1000;

/**
 * Runs a command with the processes that were started with this one.
 *
 * @returns The exit code.
 * @throws {UsageError | Error} If they cannot be reached, or one of them fails before training begins.
 */
export async function runTogether(args: Arguments, run: (fleet: Fleet) => Promise<number>): Promise<number> {
  // Where there is no library, each is alone with its error.
  if ((launcher()?.rank ?? 0) > 0) stdout.isSilent = stderr.isSilent = true;
  const fleet = await open(args);
  Terminal.isKnown = fleet.size === 1;
  stdout.isSilent = stderr.isSilent = fleet.rank > 0;
  let code;
  try {
    if (fleet.size > 1) await adviseOnCores(fleet, args);
    code = await run(fleet.size > 1 ? fleet : ALONE);
  } catch (error) {
    if (fleet.size === 1 || haveMet(fleet) && isOfAll(error)) {
      fleet.close();
      throw error;
    }
    if (haveMet(fleet)) return await abort(fleet, error);
    meetWithError(fleet, lineOf(error));
    fleet.close();
    throw error;
  }
  if (fleet.size > 1 && !haveMet(fleet)) meetWithError(fleet, "it ended before training began");
  fleet.close();
  return code;
}

async function open(args: Arguments): Promise<Fleet> {
  const { device } = args.given.device;
  if (device !== undefined && device !== "wasm") {
    throw new UsageError(
      `several processes train on the CPU, not with --device ${device}: start one process for the GPU`,
    );
  }
  const { openMpi } = await import("../fleet/mpi.ts");
  if (lacksPmi()) {
    // The library may end this program by itself, with words about how it was built.
    remark("note: srun was given no --mpi: if this fails, srun --mpi=pmix or --mpi=pmi2 (srun --mpi=list)");
    await stderr.flush(LAST_WORDS);
  }
  return openMpi(args.mpi);
}

/** Ends all processes for an error that this one alone has, where the others wait for it. */
async function abort(fleet: Fleet, error: unknown): Promise<number> {
  if (fleet.rank > 0) {
    await new Promise((resolve) => setTimeout(resolve, LAST_WORDS));
    stderr.isSilent = false;
  }
  remark(`error: ${fleet.rank ? `${processName(fleet, fleet.rank)}: ` : ""}${lineOf(error)}`);
  await stdout.flush(LAST_WORDS);
  await stderr.flush(LAST_WORDS);
  fleet.abort(1);
  return 1;
}

/** Says if a launcher leaves most of a machine idle: mpirun binds each process to one core unless it is told not to. */
async function adviseOnCores(fleet: Fleet, { given: { device: { threads } } }: Arguments): Promise<void> {
  const { coresHere } = await import("../fleet/mpi.ts");
  const all = gatherTexts(fleet, JSON.stringify(coresHere() ?? null)).map((text): Cores | null => JSON.parse(text));
  if (launcher()?.name !== "mpirun" || threads === 1) return;
  const note = coresNote(fleet.hosts, all);
  if (note) remark(`note: ${note}`);
}

/** What is said where the processes of a host may not use all of its cores, each being bound to some of them. */
export function coresNote(hosts: readonly string[], cores: readonly (Cores | null)[]): string | undefined {
  const few = cores.find((own, r) => own && own.bound * hosts.filter((host) => host === hosts[r]).length < own.usable);
  if (!few) return undefined;
  const { bound, usable } = few;
  return `mpirun binds each process to ${bound} of ${plural(usable, "core")}: mpirun --bind-to none lets it use all`;
}
