import assert from "node:assert/strict";
import { hashJson } from "../../core/train/json_bytes.ts";
import { assertFails, assertWorks, MOD, Place, type Result } from "./run.ts";

/** A job that takes no time: 16 sequences to train on, two batches to the epoch. */
const SMALL = "--size 20 --steps 3 --hidden-size 3 --batch-size 8";

/** A job that takes long, with epochs of many batches. */
const LONG = "--size 500 --steps 3 --hidden-size 3 --batch-size 1 --epochs 1000000";

// deno-lint-ignore no-explicit-any -- of a file
const json = (place: Place, name: string): any => JSON.parse(place.read(name));

/** Starts a run, lets `meanwhile` do something to it once its output matches, and returns how it ended. */
async function during(
  place: Place,
  flags: string,
  until: RegExp,
  meanwhile: (child: Deno.ChildProcess) => void | Promise<void>,
): Promise<Result> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", `--allow-read=${place.path}`, `--allow-write=${place.path}`, MOD, ...flags.split(" ")],
    cwd: place.path,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let out = "", done = false;
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      out += text;
      if (done || !until.test(out)) continue;
      done = true;
      await meanwhile(child);
    }
  })();
  const err = await new Response(child.stderr).text();
  await reading;
  return { code: (await child.status).code, out, err };
}

Deno.test("--checkpoint-every takes epochs or minutes, --keep a number", async () => {
  await using place = await Place.make();
  const wrong = ["0", "-1", "1.5", "m", "0m", "5h", "1e3", "20000m"],
    text = "a number of epochs, or of minutes such as 5m";
  const results = await Promise.all(
    wrong.map((value) => place.run([...SMALL.split(" "), "--checkpoint", "ck", `--checkpoint-every=${value}`])),
  );
  results.forEach((result, i) => assertFails(result, 2, `--checkpoint-every must be ${text}, got "${wrong[i]}"`));
  assertFails(await place.run("--keep x"), 2, '--keep must be an integer from 0 to 1000000, got "x"');
  assert.deepEqual(place.files(), []);
});

Deno.test("--checkpoint-every N writes every N epochs and at the end, --keep the last ones by steps", async () => {
  await using place = await Place.make();
  const results = await Promise.all([
    place.run(`${SMALL} --epochs 7 --checkpoint three --checkpoint-every 3 --keep 9`),
    place.run(`${SMALL} --epochs 7 --checkpoint two --checkpoint-every 1 --keep 2`),
    place.run(`${SMALL} --epochs 7 --checkpoint file.json --checkpoint-every 2 --keep 2`),
  ]);
  results.forEach(assertWorks);
  assert.deepEqual(place.files(), [
    "file.best.json",
    "file.json",
    "file.step-12.json",
    "file.step-14.json",
    ...["best", "last", "step-12", "step-14", "step-6"].map((name) => `three/${name}.json`),
    ...["best", "last", "step-12", "step-14"].map((name) => `two/${name}.json`),
  ]);
  assert.deepEqual([6, 12, 14].map((step) => json(place, `three/step-${step}.json`).generator.epoch), [3, 6, 7]);
  for (const name of ["best.json", "last.json"]) assert.equal(place.read(`three/${name}`), place.read(`two/${name}`));
  assert.equal(place.read("three/step-14.json"), place.read("three/last.json"));
});

Deno.test("--checkpoint-every with minutes writes within epochs, and each goes on to the same bytes", async () => {
  await using place = await Place.make();
  const flags = "--size 500 --steps 3 --hidden-size 3 --batch-size 1 --epochs 30 --checkpoint";
  assertWorks(await place.run(`${flags} whole`));
  assertWorks(await place.run(`${flags} parts --checkpoint-every 0.0005m --keep 99`));
  const within = place.files().filter((name) =>
    name.startsWith("parts/step-") && json(place, name).training.state.batch > 0
  );
  assert.ok(within.length > 1, `${place.files()}`);
  const resumed = await Promise.all(
    within.slice(0, 4).map((name, i) => place.run(`--resume ${name} --checkpoint again${i} --quiet`)),
  );
  // The best epoch until then may have been replaced.
  for (const { code, err } of resumed) {
    assert.match(`${code} ${err}`, /^0 (note: no checkpoint of the best [^\n]*\n)?$/);
  }
  for (const name of ["parts", ...resumed.map((_, i) => `again${i}`)]) {
    assert.ok(place.read(`${name}/last.json`) === place.read("whole/last.json"), name);
  }
});

Deno.test("a second run on the same path is told, and touches nothing", async () => {
  await using place = await Place.make();
  let second: Result[] = [];
  const first = await during(place, `${LONG} --checkpoint ck --log-file log.jsonl`, /\nepoch +2\//, async (child) => {
    const others = ["--checkpoint ck --log-file log.jsonl", "--resume ck/last.json --epochs 5 --checkpoint ck"];
    second = await Promise.all([...others, "--checkpoint ck/last.json"].map((flags) => place.run(flags)));
    assertWorks(await place.run("evaluate ck/last.json"));
    assertWorks(await place.run(`${SMALL} --epochs 1 --checkpoint other`));
    child.kill("SIGINT");
  });
  assert.equal(first.code, 130, first.err);
  for (const result of second) {
    assertFails(
      result,
      1,
      /^error: cannot write checkpoint "ck\/last\.json": another run \(process \d+, since \S+Z\) writes there; give this one another --checkpoint; if mpirun or srun started both, --allow-env --allow-ffi lets them train together\n$/,
    );
  }
  assert.ok(place.read("log.jsonl").length > 0);
  assert.deepEqual(place.files(), ["ck/best.json", "ck/last.json", "log.jsonl", "other/best.json", "other/last.json"]);
});

Deno.test("a fresh run keeps the checkpoints of an earlier one under a number, and says so", async () => {
  await using place = await Place.make();
  const run = async (flags: string, note: string) => {
    const { code, err } = await place.run(`${SMALL} --epochs 3 --checkpoint ck ${flags}`.trim());
    assert.deepEqual({ code, err }, {
      code: 0,
      err: note && `note: the checkpoints of an earlier run are kept as ${note}\n`,
    });
  };
  await run("--keep 1", "");
  const first = place.read("ck/last.json");
  await run("", '"ck/last.1.json", "ck/best.1.json", "ck/step-6.1.json"');
  // The same run again leaves the same bytes: there is nothing to keep.
  assert.equal(place.read("ck/last.json"), first);
  await run("", "");
  await run("--seed 1", "");
  await run("--seed 2 --keep 2 --checkpoint-every 1", '"ck/last.2.json", "ck/best.2.json"');
  assert.deepEqual(
    place.files(),
    ["best.1", "best.2", "best", "last.1", "last.2", "last", "step-4", "step-6.1", "step-6"].map((n) => `ck/${n}.json`),
  );
  assert.equal(place.read("ck/last.1.json"), first);
  assert.equal(json(place, "ck/last.2.json").seed, 1);
  for (const name of ["last", "last.1", "best.2"]) assertWorks(await place.run(`evaluate ck/${name}.json`));
});

Deno.test("a resumed run replaces what it goes on from, and numbers what is another's", async () => {
  await using place = await Place.make();
  assertWorks(await place.run(`${SMALL} --epochs 3 --checkpoint one --checkpoint-every 1 --keep 5`));
  assertWorks(await place.run(`${SMALL} --epochs 3 --checkpoint two --seed 1`));
  const { "two/last.json": last, "two/best.json": best } = Object.fromEntries(
    place.files().map((name) => [name, place.read(name)]),
  );
  assertWorks(await place.run("--resume one/last.json --epochs 4 --checkpoint one"));
  const other = await place.run("--resume one/last.json --epochs 5 --checkpoint two");
  assert.equal(other.err, 'note: the checkpoints of an earlier run are kept as "two/last.1.json", "two/best.1.json"\n');
  assert.deepEqual([place.read("two/last.1.json"), place.read("two/best.1.json")], [last, best]);
  // Back to an earlier one: what came of it before is a run of its own.
  const whole = place.read("one/last.json"), back = await place.run("--resume one/step-2.json --checkpoint one");
  assert.match(back.err, /^note: [^\n]*"one\/last\.1\.json", "one\/best\.1\.json", "one\/step-6\.1\.json"[^\n]*\n$/);
  assert.equal(place.read("one/last.1.json"), whole);
  assert.equal(json(place, "one/last.json").generator.epoch, 3);
});

Deno.test("what killed runs have left is removed at the next start, and their lock is nobody's", async () => {
  await using place = await Place.make();
  const { code } = await during(place, `${LONG} --checkpoint ck`, /\nepoch +2\//, (child) => child.kill("SIGKILL"));
  assert.notEqual(code, 0);
  const left = ["last.json.01234567.tmp", "best.json.89abcdef.tmp", "step-5.json.00000000.tmp", "last.json.tmp"];
  for (const name of [...left, "mine.json.01234567.tmp"]) place.write(`ck/${name}`, "{");
  assert.ok(place.files().includes("ck/last.json.lock"));
  const epoch = json(place, "ck/last.json").generator.epoch;
  assertWorks(await place.run(`--resume ck/last.json --epochs ${epoch + 1} --checkpoint ck`));
  assert.deepEqual(place.files(), ["ck/best.json", "ck/last.json", "ck/mine.json.01234567.tmp"]);
});

Deno.test("a folder that is removed in mid-run is made again, and that is said", async () => {
  await using place = await Place.make();
  const flags = `${LONG} --checkpoint ck --checkpoint-every 1 --keep 2`;
  const { code, err } = await during(place, flags, /\nepoch +2\//, async (child) => {
    await Deno.rename(`${place.path}/ck`, `${place.path}/gone`);
    while (!await Deno.stat(`${place.path}/ck/last.json`).catch(() => undefined)) await turn();
    child.kill("SIGINT");
  });
  assert.equal(code, 130);
  assert.match(err, /^note: the folder "ck" was gone; it was made again\nstopped after epoch [^\n]*\n$/);
  assertWorks(await place.run("evaluate ck/last.json"));
});

const turn = () => new Promise((resolve) => setTimeout(resolve, 10));

Deno.test("a folder that turns into a file is said once, training goes on, and the end says that it failed", async () => {
  await using place = await Place.make();
  const flags = "--size 500 --steps 3 --hidden-size 3 --batch-size 1 --epochs 60 --checkpoint ck --checkpoint-every 1";
  const { code, out, err } = await during(place, flags, /\nepoch +2\//, (child) => {
    // Held, lest it make the folder again in between.
    child.kill("SIGSTOP");
    Deno.renameSync(`${place.path}/ck`, `${place.path}/moved`);
    place.write("ck", "");
    child.kill("SIGCONT");
  });
  assert.equal(code, 1);
  assert.match(out, /\nepoch 60\/60 [^\n]*\ndone in [^;]*\n$/);
  assert.match(err, /^(warning: cannot write checkpoint "ck\/(best|last)\.json": its folder is a file\n)$/);
  for (const name of ["last", "best"]) assertWorks(await place.run(`evaluate moved/${name}.json`));
});

Deno.test({
  name: "a disk that turns full is said once, training goes on, and the checkpoint before stays whole",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using place = await Place.make();
    // The history grows until the file is larger than the limit; SIGXFSZ ignored, writing then fails as on a full disk.
    const run = `trap '' XFSZ; ulimit -f 16; exec "$DENO" run --no-prompt -A "$MOD" ${SMALL} --epochs 200 ` +
      "--checkpoint ck --checkpoint-every 1";
    const shell = new Deno.Command("bash", {
      args: ["-c", run],
      cwd: place.path,
      env: { DENO: Deno.execPath(), MOD, NO_COLOR: "1" },
    });
    const { code, stdout, stderr } = await shell.output(),
      text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assert.equal(code, 1);
    assert.match(text(stdout), /\nepoch 200\/200 [^\n]*\ndone in [^;]*\n$/);
    assert.match(
      text(stderr),
      /^(warning: cannot write checkpoint "ck\/(best|last)\.json": File too large[^\n]*\n)$/,
    );
    assert.deepEqual(place.files(), ["ck/best.json", "ck/last.json"]);
    const { epoch } = json(place, "ck/last.json").generator;
    assert.ok(epoch > 5 && epoch < 200);
    assertWorks(await place.run("--resume ck/last.json --checkpoint ck --quiet"));
    assert.equal(json(place, "ck/last.json").generator.epoch, 200);
  },
});

Deno.test("a training that resumes on other instructions is told that its bits will differ", async () => {
  await using place = await Place.make();
  assertWorks(await place.run(`${SMALL} --epochs 2 --simd plain --checkpoint ck`));
  const [same, other] = await Promise.all([
    place.run("--resume ck/last.json --epochs 3 --checkpoint same"),
    place.run("--resume ck/last.json --epochs 3 --checkpoint other --simd relaxed"),
  ]);
  assertWorks(same!);
  assert.match(same!.out, /^device {5}WebAssembly, plain SIMD/);
  assert.equal(
    other!.err,
    'note: "ck/last.json" was trained on plain SIMD and resumes on relaxed SIMD: the bits will differ; for the same bits: --simd plain\n',
  );
  assert.deepEqual(["same", "other"].map((name) => json(place, `${name}/last.json`).arithmetic), ["plain", "relaxed"]);
});

Deno.test("a training of before the sums were a tree resumes, and is told that its bits will differ", async () => {
  await using place = await Place.make();
  for (const batchSize of [24, 32]) {
    assertWorks(await place.run(`${SMALL} --epochs 1 --batch-size ${batchSize} --checkpoint ck${batchSize}`));
    const { checksum: _, ...content } = json(place, `ck${batchSize}/last.json`),
      former = { ...content, writtenBy: "grutto 0.3.0" };
    place.write(`ck${batchSize}/last.json`, JSON.stringify({ ...former, checksum: await hashJson(former) }));
    const resumed = await place.run(`--resume ck${batchSize}/last.json --epochs 2 --checkpoint on${batchSize}`);
    assert.equal(resumed.code, 0);
    assert.equal(
      resumed.err,
      batchSize === 24
        ? ""
        : 'note: "ck32/last.json" was written by grutto 0.3.0, which added up large batches in another order: the bits will differ\n',
    );
  }
});
