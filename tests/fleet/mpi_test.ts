/** Two processes and more under Open MPI: the same bytes, one voice, and one line for each thing that can be wrong. */

import assert from "node:assert/strict";
import { coresNote } from "../../core/cli/together.ts";
import { MOD, Place, type Result, ROOT, runDeno } from "../cli/run.ts";
import { HAS_MPI, runMpi, spawnTogether, type Started } from "./mpirun.ts";

const ignore = !HAS_MPI && Deno.env.get("CI") === undefined;
if (ignore) {
  console.log("tests of several processes are skipped: there is no mpirun of Open MPI (apt-get install openmpi-bin)");
}

function mpiTest(name: string, body: (place: Place) => Promise<void>): void {
  Deno.test(`MPI: ${name}`, { ignore }, async () => {
    await using place = await Place.make();
    await body(place);
  });
}

/** A training of 64 sequences in two batches of four blocks. */
const SMALL = "train --size 80 --steps 12 --hidden-size 48 --batch-size 32 --epochs 3 --threads 1 --simd plain";

function assertOneError({ code, err }: Result, message: RegExp, expected = 1): void {
  assert.equal(code, expected, err);
  assert.equal(err.match(/^error: /gm)?.length, 1, err);
  assert.match(err, message);
}

mpiTest("there is mpirun", async () => {
  assert.ok(HAS_MPI, "install Open MPI: apt-get install openmpi-bin");
  await Promise.resolve();
});

mpiTest("checkpoint and log are those of one process; one process speaks", async (place) => {
  const files = (name: string) => `--checkpoint ${name} --log-file ${name}.log --report ${name}.html`;
  const alone = await place.runWith(["-A"], `${SMALL} ${files("one")}`);
  const without = (text: string) => text.replaceAll(/"seconds":[^,}]*/g, "");
  for (const size of [2, 3]) {
    const together = await runMpi(place, size, `${SMALL} ${files(`of${size}`)}`);
    assert.deepEqual([together.code, together.err], [0, ""]);
    assert.ok(place.read("one/last.json") === place.read(`of${size}/last.json`));
    assert.equal(without(place.read(`of${size}.log`)), without(place.read("one.log")));
    assert.match(
      together.out,
      new RegExp(`\\nprocesses {2}${size} processes × 1 thread on 1 host, Open MPI \\d+\\.\\d+\\.\\d+\\r?\\n`),
    );
    assert.match(together.out, /\nexchange {3}\d+\.\d % of the time, waiting included; \d+\.\d MB received/);
    assert.equal(together.out.match(/^epoch 3\/3/gm)?.length, 1);
  }
  assert.doesNotMatch(alone.out, /processes|exchange/);
  assert.match(place.read("of2.html"), />exchange<[^]*\d % of the time, waiting included/);
  assert.doesNotMatch(place.read("one.html"), />exchange</);
});

mpiTest("a training resumes on another number of processes", async (place) => {
  await place.runWith(["-A"], `${SMALL} --checkpoint whole`);
  await runMpi(place, 2, `${SMALL.replace("--epochs 3", "--epochs 1")} --checkpoint part`);
  await runMpi(place, 3, "train --resume part/last.json --epochs 2 --threads 1 --checkpoint part");
  await place.runWith(["-A"], "train --resume part/last.json --epochs 3 --checkpoint part");
  assert.ok(place.read("part/last.json") === place.read("whole/last.json"));
});

for (const flags of ["--seeds 3", "--seeds 2 --data a.csv --folds 2 --output json"]) {
  mpiTest(`several trainings are dealt out, with the output of one process: ${flags}`, async (place) => {
    const rows = Array.from({ length: 24 }, (_, i) => `${i % 5},${i % 7},${i % 3},${i % 2 ? "yes" : "no"}`);
    place.write("a.csv", `a,b,c,label\n${rows.join("\n")}\n`);
    const job = flags.includes("--data")
      ? `train ${flags} --label-column label --epochs 2 --threads 1 --log-file one.log`
      : `${SMALL} --quiet ${flags} --log-file one.log`;
    const alone = await place.runWith(["-A"], job), plain = (text: string) => text.replaceAll(/\d+(\.\d+)? m?s\b/g, "");
    const log = (name: string) => place.read(name).replaceAll(/"seconds":[^,}]*/g, "");
    assert.equal(alone.code, 0, alone.err);
    for (const size of [2, 3]) {
      const { code, out, err } = await runMpi(place, size, job.replace("one.log", `of${size}.log`));
      assert.deepEqual([code, plain(err)], [0, plain(alone.err)]);
      assert.equal(plain(out), plain(alone.out));
      assert.equal(log(`of${size}.log`), log("one.log"));
    }
  });
}

const SCORED = {
  "classes, chosen without all outputs": "labelled.csv --label-column label --batch-size 8",
  "numbers": "labelled.csv --label-column b --feature-columns a,c --task regression --batch-size 8",
  "pairs of text": "texts.jsonl --task seq2seq --target-tokens words --batch-size 8 --beam 2",
  "pairs of numbers, quantiles": "numbers.jsonl --task seq2seq --loss quantile --quantiles 0.1,0.9 --batch-size 8",
};
for (const [what, flags] of Object.entries(SCORED)) {
  mpiTest(`test data are scored together, to what one process says: ${what}`, async (place) => {
    const lines = (line: (i: number) => string) => Array.from({ length: 90 }, (_, i) => `${line(i)}\n`).join("");
    const words = (i: number) => ["one", "two", "three", "four", "five"].slice(i % 4).slice(0, 1 + i % 7);
    place.write("labelled.csv", `a,b,c,label\n${lines((i) => `${i % 5},${i % 7},${i % 3},${"xyz"[i * i % 3]}`)}`);
    place.write("texts.jsonl", lines((i) => JSON.stringify({ x: words(i).join(" "), y: `${i} ${words(i).at(-1)}` })));
    place.write("numbers.jsonl", lines((i) => JSON.stringify({ x: [[i % 5], [i % 3], [i]], y: [[i % 4], [i % 5]] })));
    const job = `train ${flags} --test-split 0.4 --epochs 2 --hidden-size 20 --threads 1 --report page.html`;
    const alone = await place.runWith(["-A"], `${job} --output json`);
    assert.equal(alone.code, 0, alone.err);
    for (const size of [2, 3]) {
      const { code, out } = await runMpi(place, size, `${job} --output json`);
      assert.equal(code, 0);
      assert.deepEqual(JSON.parse(out), JSON.parse(alone.out));
    }
  });
}

mpiTest("a signal to one process stops all at one update, and what is saved resumes", async (place) => {
  const long = SMALL.replace("--epochs 3", "--epochs 400");
  await place.runWith(["-A"], `${long} --checkpoint whole`);
  const child = spawnTogether(place, 2, `${long} --checkpoint part --checkpoint-every 1000`, {
    before: "echo $$ > pid$OMPI_COMM_WORLD_RANK",
  });
  let out = "", isTold = false;
  const [{ code }] = await Promise.all([
    child.status,
    (async () => {
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
        out += text;
        if (isTold || !/epoch +5\/400/.test(out)) continue;
        isTold = true;
        // The process that does not speak.
        Deno.kill(Number(place.read("pid1")), "SIGTERM");
      }
    })(),
    new Response(child.stderr).text(),
  ]);
  // All end with the code of the signal that one of them got.
  assert.equal(code, 143);
  const { generator } = JSON.parse(place.read("part/last.json"));
  assert.ok(generator.epoch < 400, `stopped after epoch ${generator.epoch}`);
  const resumed = await runMpi(place, 3, "train --resume part/last.json --threads 1 --checkpoint part");
  assert.equal(resumed.code, 0, resumed.err);
  assert.ok(place.read("part/last.json") === place.read("whole/last.json"));
});

/** The state of a process as Linux calls it; nothing where it is gone. */
function stateOf(pid: number): string {
  try {
    return /\) (\w)/.exec(Deno.readTextFileSync(`/proc/${pid}/stat`))![1]!;
  } catch {
    return "";
  }
}

mpiTest("a process that dies ends all of them, and the training resumes to the same bytes", async (place) => {
  const long = SMALL.replace("--epochs 3", "--epochs 300");
  await place.runWith(["-A"], `${long} --checkpoint whole`);
  const child = spawnTogether(place, 2, `${long} --checkpoint part --checkpoint-every 3`, {
    before: "echo $$ > pid$OMPI_COMM_WORLD_RANK",
  });
  let out = "", isDead = false;
  const [{ code }] = await Promise.all([
    child.status,
    (async () => {
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
        out += text;
        if (isDead || !/epoch +9\/300/.test(out)) continue;
        isDead = true;
        Deno.kill(Number(place.read("pid1")), "SIGKILL");
      }
    })(),
    new Response(child.stderr).text(),
  ]);
  assert.notEqual(code, 0);
  // The other one is gone too.
  assert.match(stateOf(Number(place.read("pid0"))), /^[ZX]?$/);
  assert.equal((await runMpi(place, 2, "train --resume part/last.json --threads 1 --checkpoint part")).code, 0);
  assert.ok(place.read("part/last.json") === place.read("whole/last.json"));
});

/** Deno with all permissions, for a line of shell. */
const DENO = `'${Deno.execPath()}' run --no-prompt -A`;

/** What is wrong, how it is provoked, and what is said. */
const WRONG: [string, string, RegExp, Started?, number?][] = [
  [
    "no library",
    `${SMALL} --mpi ./libnone.so`,
    /^error: cannot open MPI: "\.\/libnone\.so" is no MPI library: .*: --mpi PATH is a file such as libmpi\.so\.40\n$/,
  ],
  [
    "no permission to call it",
    SMALL,
    /^error: cannot open MPI: a library may not be called: allow it with --allow-ffi\n$/,
    { permissions: ["--allow-env"] },
  ],
  [
    "a GPU",
    `${SMALL.replace("--threads 1 --simd plain", "")} --gpu`,
    /^error: several processes train on the CPU, not with --device webgpu/,
    {},
    2,
  ],
  [
    "flags that start Deno again",
    `${SMALL.replace("--simd plain", "")} --wide`,
    /^error: --wide starts Deno again, which cannot be one of several processes: type deno run --v8-flags=/,
    {},
    2,
  ],
  [
    "data that one of them alone can read",
    "train --data - --format csv --label-column label --threads 1",
    /^error: launchers give standard input to one process alone: several train on files\n$/,
    {},
    2,
  ],
  ["a wrong flag", `${SMALL} --hidden-size 0`, /^error: --hidden-size must be/, {}, 2],
  [
    "options that contradict each other",
    `${SMALL} --resume a --from b`,
    /^error: --resume continues a training and --from/,
    {},
    2,
  ],
  [
    "a file that one of them lacks",
    "train ../a.csv --label-column label --threads 1",
    /^error: cannot train together: process 1 on host \S+ failed: cannot read .*a\.csv/,
    {
      before:
        "mkdir -p r$OMPI_COMM_WORLD_RANK/x; test $OMPI_COMM_WORLD_RANK = 1 || cp a.csv r0/; cd r$OMPI_COMM_WORLD_RANK/x",
    },
  ],
  [
    "another version",
    SMALL,
    /^error: cannot train together: process 1 on host \S+ runs Grutto 0\.0\.1, process 0 runs \d+\.\d+\.\d+\n$/,
    {
      before: "test $OMPI_COMM_WORLD_RANK = 0 || { mkdir v; " +
        `cp -r ${["core", "mod.ts", "deps.ts", "deno.json"].map((name) => `'${ROOT}/${name}'`).join(" ")} v; ` +
        `sed -i '/VERSION/s/"[0-9.]*"/"0.0.1"/' v/core/version.ts; exec ${DENO} v/mod.ts ${SMALL}; }`,
    },
  ],
  [
    "a checkpoint that one of them cannot read",
    "train --resume r$OMPI_COMM_WORLD_RANK/last.json --epochs 3 --threads 1",
    /^error: cannot train together: process 1 on host \S+ failed: cannot read checkpoint "r1\/last\.json": there is no such/,
    { before: `test $OMPI_COMM_WORLD_RANK = 1 || ${DENO} '${MOD}' train --size 20 --epochs 1 --checkpoint r0 --quiet` },
  ],
  [
    "a folder of checkpoints that cannot be written",
    `${SMALL} --checkpoint a.csv`,
    /^error: cannot write checkpoint "a\.csv\/last\.json": its folder is a file\n$/,
  ],
  [
    "other data",
    "train b.csv --label-column label --threads 1",
    /^error: cannot train together: process 1 on host \S+ has other data than process 0\n$/,
    {
      before:
        "mkdir r$OMPI_COMM_WORLD_RANK; cd r$OMPI_COMM_WORLD_RANK; sed s/^3/$OMPI_COMM_WORLD_RANK/ ../a.csv > b.csv",
    },
  ],
  [
    "other test data",
    "train ../a.csv --test-data b.csv --validation-split 0.3 --label-column label --threads 1",
    /^error: cannot train together: process 1 on host \S+ has other test data than process 0\n$/m,
    {
      before:
        "mkdir r$OMPI_COMM_WORLD_RANK; cd r$OMPI_COMM_WORLD_RANK; sed s/^3/$OMPI_COMM_WORLD_RANK/ ../a.csv > b.csv",
    },
  ],
  [
    "other trainings",
    "train --size 80 --threads 1 --epochs 1 --seeds $((2 + $OMPI_COMM_WORLD_RANK))",
    /^error: cannot train together: process 1 on host \S+ runs other trainings than process 0: --seeds, --folds and/,
  ],
  [
    "several trainings in one of them",
    "train --size 80 --threads 1 --epochs 1 --seeds $((1 + $OMPI_COMM_WORLD_RANK))",
    /^error: cannot train together: process 1 on host \S+ runs other trainings than process 0: --seeds, --folds and/,
  ],
  [
    "trainings with other options",
    "train --size 80 --threads 1 --epochs 1 --seeds 2 --lr 0.0$((1 + $OMPI_COMM_WORLD_RANK))",
    /^error: cannot train together: process 1 on host \S+ trains with other options than process 0\n$/,
  ],
  [
    "trainings with other arithmetic",
    "train --size 80 --threads 1 --epochs 1 --seeds 2 --simd $(test $OMPI_COMM_WORLD_RANK = 0 && echo plain || echo relaxed)",
    /^error: cannot train together: process 1 on host \S+ computes with (relaxed|unfused) SIMD, process 0 with plain: --simd plain on all\n$/,
  ],
  [
    "trainings on other data",
    "train b.csv --label-column label --threads 1 --epochs 1 --folds 2",
    /^error: cannot train together: process 1 on host \S+ has other data than process 0\n$/,
    {
      before:
        "mkdir r$OMPI_COMM_WORLD_RANK; cd r$OMPI_COMM_WORLD_RANK; sed s/^3/$OMPI_COMM_WORLD_RANK/ ../a.csv > b.csv",
    },
  ],
  [
    "trainings forward in time whose last rows differ",
    "train c.csv --target-column b --window 3 --threads 1 --epochs 1 --walk-forward 2 --quiet",
    /^error: cannot train together: process 1 on host \S+ has other test data than process 0\n$/,
    {
      before:
        'mkdir r$OMPI_COMM_WORLD_RANK; cd r$OMPI_COMM_WORLD_RANK; sed "20s/,./,$OMPI_COMM_WORLD_RANK/" ../a.csv > c.csv',
    },
  ],
  [
    "trainings of which one is refused",
    "train a.csv --label-column label --threads 1 --epochs 1 --seeds 2 --patience 2",
    /^error: --patience would select epochs on the test set/,
    {},
    2,
  ],
  [
    "trainings that diverge",
    `${SMALL} --optimizer sgd --lr 1e38 --seeds 2 --quiet`,
    /^error: cannot continue training: the (loss|norm)/,
  ],
  [
    "other arithmetic",
    "train --size 80 --threads 1 --simd $(test $OMPI_COMM_WORLD_RANK = 0 && echo plain || echo relaxed)",
    /^error: cannot train together: process 1 on host \S+ computes with (relaxed|unfused) SIMD, process 0 with plain: --simd plain on all\n$/,
  ],
  [
    "other options",
    "train --size 80 --threads 1 --lr 0.0$((1 + $OMPI_COMM_WORLD_RANK))",
    /^error: cannot train together: process 1 on host \S+ trains with other options than process 0\n$/,
  ],
  [
    "a training that diverges",
    `${SMALL} --optimizer sgd --loss mse --lr 1e38`,
    /^error: cannot continue training: the (loss|norm)/,
  ],
];
for (const [what, args, message, started, code] of WRONG) {
  mpiTest(`one line for ${what}`, async (place) => {
    const rows = Array.from({ length: 24 }, (_, i) => `${i % 5},${i % 7},${i % 2 ? "yes" : "no"}`);
    place.write("a.csv", `a,b,label\n${rows.join("\n")}\n`);
    assertOneError(await runMpi(place, 2, args, started), message, code);
  });
}

mpiTest("processes that a launcher started and the library does not see are one error, of the first", async (place) => {
  const run = (rank: number) =>
    runDeno(["run", "--no-prompt", "-A", MOD, ...SMALL.split(" ")], {
      cwd: place.path,
      env: { SLURM_STEP_NUM_TASKS: "4", SLURM_PROCID: String(rank), OMPI_MCA_ess_singleton_isolated: "1" },
    });
  const first = await run(0), second = await run(1);
  assertOneError(
    first,
    /^error: cannot open MPI: srun started 4 processes, but Open MPI \S+ sees 1: srun --mpi=pmix or --mpi=pmi2, as the library has it \(srun --mpi=list\)\n$/m,
  );
  // Open MPI ends a program that srun gave no way to the others, by itself: what to do is said before.
  assert.match(first.err, /^note: srun was given no --mpi: if this fails, srun --mpi=pmix or --mpi=pmi2/m);
  assert.deepEqual([second.code, second.out], [1, ""]);
  assert.doesNotMatch(second.err, /error:/);
});

mpiTest("a batch with fewer blocks than processes is said", async (place) => {
  const { code, err } = await runMpi(place, 3, SMALL.replace("--batch-size 32", "--batch-size 16"));
  assert.equal(code, 0);
  assert.equal(
    err,
    "note: a batch of 16 is 2 blocks: 1 of the processes has nothing to do; --batch-size 24 keeps all busy\n",
  );
});

Deno.test("processes that are bound to a few cores are told of it", () => {
  const two = ["a", "a"], each = (bound: number, usable: number) => [{ bound, usable }, { bound, usable }];
  assert.equal(
    coresNote(two, each(1, 16)),
    "mpirun binds each process to 1 of 16 cores: mpirun --bind-to none lets it use all",
  );
  assert.equal(coresNote(two, each(1, 2)), undefined);
  assert.equal(coresNote(two, each(16, 16)), undefined);
  assert.equal(coresNote(two, [null, null]), undefined);
  assert.equal(coresNote(["a", "b"], each(1, 2))?.slice(0, 45), "mpirun binds each process to 1 of 2 cores: mp");
});

/** On two cores two processes have one each, unless each is a host by itself, with a name of its own. */
const UTS = "unshare --uts sh -c 'hostname h$OMPI_COMM_WORLD_RANK; exec \"$@\"' sh";

mpiTest("the words of the job for Kubernetes are ones that mpirun and train take", async (place) => {
  const yaml = Deno.readTextFileSync(`${ROOT}/scripts/fleet/mpijob.yaml`);
  const args = [...yaml.slice(yaml.indexOf("args:")).matchAll(/^ {16}- "(.*)"$/gm)].map(([, word]) => word!);
  const end = args.indexOf("deno"), [program, ...job] = args.slice(args.indexOf("/grutto/mod.ts"));
  assert.deepEqual([program, ...args.slice(end, end + 3)], ["/grutto/mod.ts", "deno", "run", "-A"]);
  const rows = Array.from({ length: 24 }, (_, i) => `${i % 5},${i % 7},${i % 2 ? "yes" : "no"}`);
  place.write("train.csv", `a,b,label\n${rows.join("\n")}\n`);
  const words = job.map((word) => word.replace("/data", place.path));
  const { code, stderr } = await new Deno.Command("mpirun", {
    args: [...args.slice(0, end), Deno.execPath(), "run", "-A", MOD, ...words, "--epochs", "1"],
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.ok(place.files().includes("checkpoints/last.json"));
});

mpiTest("a command that shares no work says so", async (place) => {
  await place.runWith(["-A"], `${SMALL} --checkpoint ck --quiet`);
  const { code, err } = await runMpi(place, 2, "evaluate ck/last.json");
  assert.deepEqual([code, err], [0, "note: evaluate shares no work among processes: each of the 2 does all of it\n"]);
});

mpiTest("one core that mpirun binds each process to is said", async (place) => {
  const isFew = navigator.hardwareConcurrency < 3;
  if (isFew && (await new Deno.Command("unshare", { args: ["--uts", "true"], stderr: "null" }).output()).code) {
    return console.log("two cores, and no right to name hosts: mpirun cannot leave one of them unused");
  }
  const job = SMALL.replace(" --threads 1", ""), env = { OMPI_MCA_hwloc_base_binding_policy: "core" };
  const bound = await runMpi(place, 2, job, { env, wrapper: isFew ? UTS : "" });
  assert.equal(bound.code, 0, bound.err);
  assert.match(
    bound.err,
    /^note: mpirun binds each process to 1 of \d+ cores: mpirun --bind-to none lets it use all$/m,
  );
  const free = await runMpi(place, 2, job, { wrapper: isFew ? UTS : "" });
  assert.deepEqual([free.code, free.err], [0, ""]);
});

mpiTest("processes that may not read the environment say so, and do not write over one another", async (place) => {
  const permissions = [`--allow-read=${place.path}`, `--allow-write=${place.path}`];
  const unseen = await runMpi(place, 2, SMALL, { permissions });
  assert.equal(unseen.code, 0);
  assert.match(
    unseen.err,
    /^note: if mpirun started this process, it trains by itself: --allow-env --allow-ffi, or -A,/m,
  );
  // Long enough that the other has not ended before it starts.
  const refused = await runMpi(place, 2, `${SMALL} --epochs 20000 --checkpoint ck`, { permissions });
  assertOneError(
    { ...refused, err: refused.err.replaceAll(/^note: .*\n/gm, "") },
    /another run \(.*\) writes there; give this one another --checkpoint; if mpirun or srun started both, --allow-env --a/,
  );
});

Deno.test("nobody who trains alone is asked for a permission, or finds MPI looked for", async () => {
  await using place = await Place.make();
  const trace = `${SMALL} --checkpoint ck`;
  const { code, err } = await place.run(trace);
  assert.deepEqual([code, err], [0, ""]);
  const hidden = await runDeno([
    "run",
    "--no-prompt",
    `--allow-read=${place.path}`,
    `--allow-write=${place.path}`,
    MOD,
    ...SMALL.split(" "),
  ], {
    cwd: place.path,
    env: { OMPI_COMM_WORLD_SIZE: "2", OMPI_COMM_WORLD_RANK: "1" },
  });
  // The environment is not read: it is one process.
  assert.deepEqual([hidden.code, hidden.err], [0, ""]);
  assert.match(hidden.out, /epoch 3\/3/);
});
