/**
 * MPI through FFI: Open MPI, MPICH and its kin, and whatever has the standard ABI of MPI 5. Handles are declared as integers of a
 * pointer's size, so that one table of functions serves all of them. This is the one file that opens a library.
 */

import { fail } from "../errors.ts";
import { type Fleet, gatherTexts, MOST_BYTES, startsOf } from "./fleet.ts";
import { type FamilyName, familyOrder, launcher } from "./launcher.ts";

const SYMBOLS = {
  MPI_Init: { parameters: ["pointer", "pointer"], result: "i32" },
  MPI_Finalize: { parameters: [], result: "i32" },
  MPI_Abort: { parameters: ["usize", "i32"], result: "i32" },
  MPI_Comm_rank: { parameters: ["usize", "buffer"], result: "i32" },
  MPI_Comm_size: { parameters: ["usize", "buffer"], result: "i32" },
  MPI_Get_library_version: { parameters: ["buffer", "buffer"], result: "i32" },
  MPI_Get_processor_name: { parameters: ["buffer", "buffer"], result: "i32" },
  MPI_Allgatherv: {
    parameters: ["pointer", "i32", "usize", "buffer", "buffer", "buffer", "usize", "usize"],
    result: "i32",
  },
  MPI_Alltoallv: {
    parameters: ["buffer", "buffer", "buffer", "usize", "buffer", "buffer", "buffer", "usize", "usize"],
    result: "i32",
  },
  ompi_mpi_comm_world: { type: "pointer", optional: true },
  ompi_mpi_byte: { type: "pointer", optional: true },
} as const;

/** How a family of libraries is called, and what its handles of the world and of a byte and its MPI_IN_PLACE are. */
interface Family {
  readonly names: readonly string[];
  /** Absent: the addresses of symbols. */
  readonly handles?: readonly [world: bigint, byte: bigint];
  readonly inPlace: bigint;
}

const FAMILIES: Readonly<Record<FamilyName, Family>> = {
  openMpi: { names: ["libmpi.so.40", "libmpi.40.dylib"], inPlace: 1n },
  standard: {
    names: ["libmpi_abi.so.1", "libmpi_abi.so.0", "libmpi_abi.1.dylib"],
    handles: [0x101n, 0x247n],
    inPlace: 1n,
  },
  mpich: {
    names: ["libmpi.so.12", "libmpich.so.12", "libmpi.12.dylib"],
    handles: [0x44000000n, 0x4c00010dn],
    inPlace: 0xffffffffffffffffn,
  },
};

const ACTION = "open MPI";

/**
 * The processes that `mpirun` or `srun` started with this one. Needs `--allow-ffi`.
 *
 * @param path The library. Default: found by its usual names.
 * @throws {Error} If there is none, it may not be opened, or it sees other processes than the launcher started.
 */
export function openMpi(path?: string): Fleet {
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    throw fail("fleet-unavailable", ACTION, "a library may not be called", { advice: "allow it with --allow-ffi" });
  }
  const started = launcher(), { library, world, byte, inPlace } = load(path);
  const fleet = start(library as Calls, { world, byte, inPlace });
  if (!started || started.size === fleet.size) return fleet;
  fleet.close();
  throw fail(
    "fleet-unavailable",
    ACTION,
    `${started.name} started ${started.size} processes, but ${fleet.library} sees ${fleet.size}`,
    {
      advice: started.name === "srun"
        ? "srun --mpi=pmix or --mpi=pmi2, as the library has it (srun --mpi=list)"
        : `--mpi PATH is the library that belongs to this ${started.name}`,
    },
  );
}

type Calls = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

type Symbols = "ompi_mpi_comm_world" | "ompi_mpi_byte";

/** The library's own numbers. */
interface Handles {
  readonly world: bigint;
  readonly byte: bigint;
  readonly inPlace: Deno.PointerValue;
}

function load(path: string | undefined): Handles & { library: Calls } {
  const errors: string[] = [],
    wanted = path === undefined ? familyOrder().flatMap((name) => FAMILIES[name].names) : [path];
  for (const name of wanted) {
    let library;
    try {
      library = Deno.dlopen(name, SYMBOLS).symbols;
    } catch (error) {
      errors.push((error as Error).message);
      continue;
    }
    const { ompi_mpi_comm_world: world, ompi_mpi_byte: byte } = library as { [Name in Symbols]?: Deno.PointerValue };
    const family = FAMILIES[world ? "openMpi" : /mpi_abi/.test(name) ? "standard" : "mpich"];
    const address = (symbol: Deno.PointerValue | undefined) => BigInt(Deno.UnsafePointer.value(symbol ?? null));
    const [ofWorld, ofByte] = family.handles ?? [address(world), address(byte)];
    return { library, world: ofWorld, byte: ofByte, inPlace: Deno.UnsafePointer.create(family.inPlace) };
  }
  const problem = path === undefined ? "there is no MPI library" : `"${path}" is no MPI library: ${errors[0]}`;
  const advice = path === undefined
    ? "install Open MPI or MPICH (Debian: apt-get install openmpi-bin), or give its library: --mpi PATH"
    : "--mpi PATH is a file such as libmpi.so.40";
  throw fail("fleet-unavailable", ACTION, problem, { advice });
}

/** Bytes that a name may take. */
const NAME = 8192;

function start(mpi: Calls, { world, byte, inPlace }: Handles): Fleet {
  const check = (code: number, what: string) => {
    if (code === 0) return;
    throw fail("fleet-failed", "exchange with other processes", `${what} failed with code ${code}`);
  };
  check(mpi.MPI_Init(null, null), "MPI_Init");
  const word = new Int32Array(1);
  const number = (ask: (comm: bigint, out: BufferSource) => number) => (ask(world, word), word[0]!);
  const text = (ask: (out: BufferSource, length: BufferSource) => number) => {
    const bytes = new Uint8Array(NAME);
    ask(bytes, word);
    return new TextDecoder().decode(bytes.subarray(0, word[0]));
  };
  const rank = number(mpi.MPI_Comm_rank), size = number(mpi.MPI_Comm_size), spent = { ms: 0, bytes: 0 };
  const timed = (counts: readonly number[], run: () => number, what: string) => {
    const total = counts.reduce((sum, count) => sum + count, 0), begun = performance.now();
    if (total >= MOST_BYTES) {
      throw fail("fleet-failed", "exchange with other processes", `${total} bytes are too many for one exchange`);
    }
    check(run(), what);
    spent.ms += performance.now() - begun;
    spent.bytes += total - counts[rank]!;
  };
  const int = (numbers: readonly number[]) => Int32Array.from(numbers);
  const bare = {
    rank,
    size,
    gather(bytes: Uint8Array, counts: readonly number[]) {
      const run = () =>
        mpi.MPI_Allgatherv(inPlace, 0, byte, bytes as BufferSource, int(counts), int(startsOf(counts)), byte, world);
      timed(counts, run, "MPI_Allgatherv");
    },
  };
  return {
    ...bare,
    hosts: gatherTexts(bare, text(mpi.MPI_Get_processor_name)),
    library: libraryName(text(mpi.MPI_Get_library_version)),
    spent,
    exchange(sent, sends, received, gets) {
      const run = () =>
        mpi.MPI_Alltoallv(
          sent as BufferSource,
          int(sends),
          int(startsOf(sends)),
          byte,
          received as BufferSource,
          int(gets),
          int(startsOf(gets)),
          byte,
          world,
        );
      timed(gets, run, "MPI_Alltoallv");
    },
    abort: (code) => void mpi.MPI_Abort(world, code),
    close: () => void mpi.MPI_Finalize(),
  };
}

/** "Open MPI v4.1.4, package: …" as "Open MPI 4.1.4"; "MPICH Version:   4.1.2" as "MPICH 4.1.2". */
export function libraryName(text: string): string {
  const [first = ""] = text.split(/[,\0\n]/);
  return first.replace(/\s*Version:\s*/, " ").replace(/\bv(?=\d)/, "").trim();
}

/** Cores that this process is bound to, and those that it might use. */
export interface Cores {
  readonly bound: number;
  readonly usable: number;
}

/** Bytes of a set of cores: a bit for each. */
const SET = 1024;

/**
 * Cores of this process; undefined where that cannot be asked for. A limit of its time, as of a container, counts for nothing,
 * for it is not in the launcher's hands.
 */
export function coresHere(): Cores | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const signature = { parameters: ["i32", "usize", "buffer"], result: "i32" } as const;
  try {
    const { symbols } = Deno.dlopen("libc.so.6", { sched_getaffinity: signature, sched_setaffinity: signature });
    const own = new Uint8Array(SET), wide = new Uint8Array(SET);
    if (symbols.sched_getaffinity(0, BigInt(SET), own) !== 0) return undefined;
    // The system leaves out those that it allows nobody here: what is left is what could be had.
    symbols.sched_setaffinity(0, BigInt(SET), new Uint8Array(SET).fill(255));
    symbols.sched_getaffinity(0, BigInt(SET), wide);
    symbols.sched_setaffinity(0, BigInt(SET), own);
    return { bound: bitsIn(own), usable: bitsIn(wide) };
  } catch {
    return undefined;
  }
}

function bitsIn(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => {
    for (; byte; byte &= byte - 1) sum++;
    return sum;
  }, 0);
}
