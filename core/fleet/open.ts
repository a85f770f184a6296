import { checkArgument } from "../errors.ts";
import { ownOptions } from "../options.ts";
import type { Fleet } from "./fleet.ts";

/**
 * The processes that `mpirun` or `srun` started with this one, to train one model together: pass it to `createModel`, and let
 * all of them do the same. Whatever their number, the bits are those of one process. Needs `--allow-ffi`.
 *
 * @param options `library`: the MPI library's file. Default: Open MPI or MPICH, found by their usual names.
 * @throws {Error} If there is no such library, it may not be opened, or it sees other processes than were started.
 *
 * @example
 * ```ts ignore
 * import { createModel, openFleet, sampleDataset, train } from "@grutto/grutto";
 *
 * const fleet = await openFleet();
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2 }, { fleet });
 * const history = await train(model, sampleDataset(), { epochs: 20, batchSize: 64 });
 * if (fleet.rank === 0) console.log(history.at(-1));
 * fleet.close();
 * ```
 */
export async function openFleet(options: { readonly library?: string } = {}): Promise<Fleet> {
  const { library } = ownOptions("open fleet", options, { library: true });
  if (library !== undefined) checkArgument("open fleet", "library", library, "string");
  const { openMpi } = await import("./mpi.ts");
  return openMpi(library);
}
