/**
 * A training of `tests/fleet/jobs.ts` by the processes that a launcher started with this one: what it says goes into
 * `last.json`.
 *
 *     mpirun -n 2 deno run -A scripts/fleet/job.ts "a resumed training" --threads 1 --checkpoint FOLDER
 *
 * @module
 */

import { ALONE } from "../../core/fleet/fleet.ts";
import { launcher } from "../../core/fleet/launcher.ts";
import { openFleet } from "../../mod.ts";
import { JOBS } from "../../tests/fleet/jobs.ts";
import { commandLine, fail, numberOption } from "../command_line.ts";

const { values, operands: [name] } = commandLine("job.ts", "Runs a training as one of several processes.", {
  threads: { type: "string", default: "1", about: "threads of each" },
  checkpoint: { type: "string", default: ".", about: "where last.json goes", takes: "FOLDER" },
  mpi: { type: "string", default: "", about: "the MPI library", takes: "PATH" },
}, ["NAME"]);
const job = JOBS[name!] ?? fail(`there is no training "${name}"`, 2);
const fleet = launcher() || values.mpi ? await openFleet({ library: values.mpi || undefined }) : ALONE;
const said = await job({ fleet, threads: numberOption("threads", values.threads, 1) });
if (fleet.rank === 0) {
  await Deno.mkdir(values.checkpoint, { recursive: true });
  await Deno.writeTextFile(`${values.checkpoint}/last.json`, said);
}
fleet.close();
