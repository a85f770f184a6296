/** Starts several processes for the scripts of this folder. */

/** How processes are started: the words before Deno, {} in place of their number, and what `train` takes besides. */
export interface Launch {
  readonly launcher: string;
  readonly mpi?: string;
  readonly env?: Record<string, string>;
}

/** For root, and on few cores; it means nothing to other builds than Open MPI. */
export const ENVIRONMENT = {
  OMPI_ALLOW_RUN_AS_ROOT: "1",
  OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1",
  OMPI_MCA_rmaps_base_oversubscribe: "1",
  OMPI_MCA_hwloc_base_binding_policy: "none",
  OMPI_MCA_mpi_yield_when_idle: "1",
  PRTE_MCA_rmaps_default_mapping_policy: ":oversubscribe",
  PRTE_MCA_hwloc_default_binding_policy: "none",
  NO_COLOR: "1",
};

/** The launcher that is found in the path. */
export const LAUNCHER = "mpirun -n {}";

const pathOf = (file: string) => new URL(file, import.meta.url).pathname;

/** Programs that several processes run. */
const PROGRAMS = { train: [pathOf("../../mod.ts"), "train"], job: [pathOf("job.ts")] };

/** The command of a training by so many processes; one is started without a launcher. */
export function command(
  size: number,
  words: readonly string[],
  { launcher, mpi, env }: Launch,
  program: keyof typeof PROGRAMS = "train",
): Deno.Command {
  const deno = [Deno.execPath(), "run", "--no-prompt", "-A", ...PROGRAMS[program], ...words];
  const all = size === 1
    ? deno
    : [...launcher.replace("{}", `${size}`).split(" "), ...deno, ...mpi ? ["--mpi", mpi] : []];
  const [first, ...args] = all;
  return new Deno.Command(first!, {
    args,
    env: { ...ENVIRONMENT, ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs a training to its end. */
export async function run(
  size: number,
  words: readonly string[],
  launch: Launch,
  program?: keyof typeof PROGRAMS,
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const { code, stdout, stderr } = await command(size, words, launch, program).output(), decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** SHA-256 of a file, shortened; "none" where there is none. */
export async function hashOf(path: string): Promise<string> {
  try {
    const hash = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
    return new Uint8Array(hash).toHex().slice(0, 12);
  } catch {
    return "none";
  }
}
