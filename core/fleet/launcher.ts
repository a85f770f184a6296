/** Whether this process was started as one of several, and by what: a question to the environment alone. */

/** A family of MPI libraries. */
export type FamilyName = "openMpi" | "mpich" | "standard";

/** Launchers, by the variables that they set: how many processes they say there are, which this is, whose library it takes. */
const LAUNCHERS: readonly { name: string; size: string; rank: string; order: readonly FamilyName[] }[] = [
  {
    name: "mpirun",
    size: "OMPI_COMM_WORLD_SIZE",
    rank: "OMPI_COMM_WORLD_RANK",
    order: ["openMpi", "standard", "mpich"],
  },
  { name: "mpiexec", size: "PMI_SIZE", rank: "PMI_RANK", order: ["mpich", "standard", "openMpi"] },
  { name: "srun", size: "SLURM_STEP_NUM_TASKS", rank: "SLURM_PROCID", order: ["openMpi", "standard", "mpich"] },
];

/** What a launcher says of this process. */
export interface Launched {
  readonly name: string;
  readonly size: number;
  readonly rank: number;
}

/** What started this process as one of several; undefined where nothing did, or where the environment may not be read. */
export function launcher(): Launched | undefined {
  const found = launcherEntry();
  if (!found) return undefined;
  // Slurm speaks to MPICH as its own launcher does.
  const name = found.name === "mpiexec" && Number(variable("SLURM_STEP_NUM_TASKS")) > 1 ? "srun" : found.name;
  return { name, size: Number(variable(found.size)), rank: Number(variable(found.rank) ?? 0) };
}

/** Variables by which a library finds the other processes that srun started: one of each way that `srun --mpi` knows. */
const PMI = ["PMIX_NAMESPACE", "PMIX_RANK", "PMI_FD", "PMI_RANK", "PMI_SIZE"];

/** Whether srun started processes and gave them no way to find one another, as far as is known. */
export function lacksPmi(): boolean {
  return launcher()?.name === "srun" && !PMI.some((name) => variable(name) !== undefined);
}

/** Whether the environment may not be read, so that a launcher would not be seen. */
export function isUnreadable(): boolean {
  return LAUNCHERS.some(({ size }) => !mayRead(size));
}

/** The families of libraries in the order in which they are tried here. */
export function familyOrder(): readonly FamilyName[] {
  return launcherEntry()?.order ?? LAUNCHERS[0]!.order;
}

function launcherEntry(): typeof LAUNCHERS[number] | undefined {
  return LAUNCHERS.find(({ size }) => Number(variable(size)) > 1);
}

/** A variable of the environment that may be read without a question. */
function variable(name: string): string | undefined {
  return mayRead(name) ? Deno.env.get(name) : undefined;
}

function mayRead(variable: string): boolean {
  return Deno.permissions.querySync({ name: "env", variable }).state === "granted";
}
