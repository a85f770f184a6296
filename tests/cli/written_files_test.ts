import assert from "node:assert/strict";
import { assertFails, assertWorks, Place, ROOT } from "./run.ts";

const SMALL = "--size 20 --steps 3 --hidden-size 3 --batch-size 8 --quiet";

// deno-lint-ignore no-explicit-any -- of a file
const lines = (place: Place, name: string): any[] =>
  place.read(name).trimEnd().split("\n").map((line) => ({ ...JSON.parse(line), seconds: 0 }));

Deno.test("no output takes an input's place, by whatever name: exit code 2, and all is as it was", async () => {
  await using place = await Place.make();
  const data = Deno.readTextFileSync(`${ROOT}/tests/testdata/own/moves.csv`);
  Deno.mkdirSync(`${place.path}/folder`);
  for (const name of ["m.csv", "m.json", "folder/m.csv", "test.csv"]) place.write(name, data);
  Deno.symlinkSync("m.csv", `${place.path}/link.csv`);
  Deno.linkSync(`${place.path}/m.csv`, `${place.path}/hard.csv`);
  assertWorks(await place.run(`${SMALL} --epochs 1 --checkpoint ck`));
  const columns = "--sequence-column id --time-column t --label-column kind --epochs 1 --quiet",
    own = `train m.csv ${columns}`;
  const cases: [string, string][] = [
    [`${own} --log-file m.csv`, '--log-file "m.csv" is read'],
    [`${own} --report m.csv`, '--report "m.csv" is read'],
    [`${own} --log-file ./m.csv`, '--log-file "./m.csv", which is "m.csv", is read'],
    [`${own} --log-file link.csv`, '--log-file "link.csv", which is "m.csv", is read'],
    [`${own} --report hard.csv`, '--report "hard.csv", which is "m.csv", is read'],
    [`${own} --test-data test.csv --report test.csv`, '--report "test.csv" is read'],
    [`train folder ${columns} --log-file folder/m.csv`, '--log-file "folder/m.csv", which is "folder", is read'],
    [`train m.json --format csv ${columns} --checkpoint m.json`, '--checkpoint "m.json" is read'],
    [`--resume ck/last.json --epochs 2 --log-file ck/last.json`, '--log-file "ck/last.json" is read'],
    [`--resume ck/last.json --epochs 2 --report ck/last.json`, '--report "ck/last.json" is read'],
    [`${SMALL} --epochs 1 --checkpoint ck --log-file ck/best.json`, '--log-file "ck/best.json" is read'],
    ["convert ck/last.json ck/last.json", 'convert to "ck/last.json" is read'],
    ["convert ck/last.json ck/../ck/last.json", 'convert to "ck/../ck/last.json", which is "ck/last.json", is read'],
  ];
  const before = Object.fromEntries(place.files().map((name) => [name, place.read(name)]));
  const results = await Promise.all(cases.map(([line]) => place.run(line)));
  results.forEach((result, i) => {
    assert.equal(result.code, 2, `${cases[i]![0]}: ${result.err}`);
    assert.ok(result.err.startsWith(`error: ${cases[i]![1]} by this very run`), result.err);
  });
  assert.deepEqual(Object.fromEntries(place.files().map((name) => [name, place.read(name)])), before);
});

Deno.test("an older log, report or converted file is kept under the next number, and that is said", async () => {
  await using place = await Place.make();
  const note = (what: string, name: string) => `note: the ${what} of an earlier run is kept as "${name}"\n`;
  const run = async (line: string, err: string) => {
    const result = await place.run(line);
    assert.deepEqual({ code: result.code, err: result.err }, { code: 0, err });
  };
  for (const name of ["l.jsonl", "r.html", "m.pt", "m.json", "nothing"]) {
    place.write(name, name === "nothing" ? "" : "old");
  }
  place.write("l.1.jsonl", "older");
  await run(
    `${SMALL} --epochs 2 --log-file l.jsonl --report r.html --checkpoint ck`,
    note("log", "l.2.jsonl") + note("report", "r.1.html"),
  );
  await run(`${SMALL} --epochs 1 --log-file nothing`, "");
  await run("convert ck/last.json m.pt --quiet", 'note: the file that was there is kept as "m.1.pt"\n');
  await run("convert ck/last.json m.json --quiet", 'note: the file that was there is kept as "m.1.json"\n');
  // The same file again is the same file.
  await run("convert ck/last.json m.pt --quiet", "");
  const kept = ["l.1.jsonl", "l.2.jsonl", "r.1.html", "m.1.pt", "m.1.json"].map((name) => place.read(name));
  assert.deepEqual(kept, ["older", "old", "old", "old", "old"]);
  assert.deepEqual(lines(place, "l.jsonl").map(({ epoch }) => epoch), [1, 2]);
  assert.deepEqual(lines(place, "nothing").map(({ epoch }) => epoch), [1]);
  assert.match(place.read("r.html"), /^<!doctype html>/i);
  assert.ok(!place.files().some((name) => /tmp|lock/.test(name)));
});

Deno.test("convert says that optimizer and history stay behind, to .json too", async () => {
  await using place = await Place.make();
  assertWorks(await place.run(`${SMALL} --epochs 1 --checkpoint ck`));
  const { out } = await place.run("convert ck/last.json m.json");
  assert.equal(out, "ck/last.json (checkpoint) written as m.json (json); optimizer and history stay behind\n");
});

Deno.test("a resumed log is cut back to its checkpoint's epochs, and lacks none", async () => {
  await using place = await Place.make();
  const whole = `${SMALL} --epochs 6 --seed 3 --log-file whole.jsonl --checkpoint whole --checkpoint-every 1 --keep 9`;
  assertWorks(await place.run(whole));
  const all = place.read("whole.jsonl").split("\n"), from = "whole/step-6.json"; // after 3 epochs
  const logs: Record<string, string> = {
    "ends with it": all.slice(0, 3).join("\n") + "\n",
    "was ahead": all.slice(0, 5).join("\n") + "\n",
    "is torn": all.slice(0, 4).join("\n") + "\n" + all[4]!.slice(0, 20),
    "is torn in the first line": all[0]!.slice(0, 5),
    "lacks a line": all.slice(0, 2).join("\n") + "\n",
    "lacks all": "",
  };
  const results = await Promise.all(
    Object.entries(logs).map(([name, text], i) => {
      if (name !== "lacks all") place.write(`${i}.jsonl`, text);
      return place.run(`--resume ${from} --checkpoint again${i} --log-file ${i}.jsonl --quiet`);
    }),
  );
  for (const [i, name] of Object.keys(logs).entries()) {
    assert.equal(results[i]!.code, 0, results[i]!.err);
    // A log that was not there begins here.
    assert.deepEqual(lines(place, `${i}.jsonl`), lines(place, "whole.jsonl").slice(name === "lacks all" ? 3 : 0), name);
  }
  assert.ok(!place.files().some((name) => /\.1\.jsonl$/.test(name)));
});

Deno.test("a resumed training sets aside what is not its own log", async () => {
  await using place = await Place.make();
  assertWorks(await place.run(`${SMALL} --epochs 2 --checkpoint ck`));
  assertWorks(await place.run(`${SMALL} --epochs 2 --seed 1 --log-file seed.jsonl`));
  assertWorks(await place.run(`${SMALL} --epochs 2 --lr 0.5 --log-file rate.jsonl`));
  place.write("note.txt", "no line of a log");
  place.write("text.txt", "some\nlines\n");
  for (const name of ["seed.jsonl", "rate.jsonl", "note.txt", "text.txt"]) {
    const before = place.read(name), aside = name.replace(".", ".1.");
    const { code, err } = await place.run(`--resume ck/last.json --epochs 3 --log-file ${name} --quiet`);
    assert.deepEqual({ code, err }, { code: 0, err: `note: the log of an earlier run is kept as "${aside}"\n` });
    assert.equal(place.read(aside), before);
    assert.deepEqual(lines(place, name).map(({ epoch }) => epoch), [3]);
  }
});

Deno.test("two runs do not mix their lines: the second is told", async () => {
  await using place = await Place.make();
  const job = "--size 500 --steps 3 --hidden-size 3 --batch-size 1 --quiet --log-file l.jsonl --epochs";
  const first = place.run(`${job} 40`);
  while (!place.files().includes("l.jsonl") || !place.read("l.jsonl")) await new Promise((done) => setTimeout(done, 5));
  const second = await place.run(`${job} 1`);
  assertFails(second, 1, 'cannot write log "l.jsonl": another run writes there; give this one another --log-file');
  assertWorks(await first);
  assert.deepEqual(lines(place, "l.jsonl").map(({ epoch }) => epoch), Array.from({ length: 40 }, (_, i) => i + 1));
});

Deno.test("several trainings share a log, a line each for every epoch", async () => {
  await using place = await Place.make();
  assertWorks(await place.run(`${SMALL} --epochs 2 --seeds 2 --log-file l.jsonl`));
  assert.deepEqual(lines(place, "l.jsonl").map(({ run, seed, epoch }) => [run, seed, epoch]), [
    ["seed 0", 0, 1],
    ["seed 0", 0, 2],
    ["seed 1", 1, 1],
    ["seed 1", 1, 2],
  ]);
});

Deno.test("a log needs the permission to write itself alone, where nothing stands in its way", async () => {
  await using place = await Place.make();
  const flags = `${SMALL} --epochs 1 --log-file l.jsonl`, own = [`--allow-write=${place.path}/l.jsonl`];
  assertWorks(await place.runWith(own, flags));
  const again = await place.runWith(own, flags);
  assert.match(
    again.err,
    /^note: the log "l\.jsonl" will not be written, [^\n]* --allow-read=\. --allow-write=\. [^\n]*\n$/,
  );
  assert.equal(lines(place, "l.jsonl").length, 1);
});

Deno.test({
  name: "a disk that fills up leaves whole lines, and no epoch is missing when there is room again",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using place = await Place.make();
    // SIGXFSZ ignored, a write beyond the limit is cut short, and the next fails, as on a full disk.
    const script = `trap '' XFSZ; ulimit -f 4; exec "$DENO" run --no-prompt -A "${ROOT}/mod.ts" ${SMALL} --epochs 60 ` +
      "--log-file l.jsonl";
    const { code, stderr } = await new Deno.Command("bash", {
      args: ["-c", script],
      cwd: place.path,
      env: { DENO: Deno.execPath(), NO_COLOR: "1" },
    }).output();
    assert.equal(code, 0);
    assert.match(new TextDecoder().decode(stderr), /^warning: cannot write log "l\.jsonl": File too large[^\n]*\n$/);
    const text = place.read("l.jsonl");
    assert.ok(text.endsWith("}\n") && text.length <= 4096 && text.length > 3500, text.slice(-80));
    assert.deepEqual(lines(place, "l.jsonl").map(({ epoch }) => epoch), lines(place, "l.jsonl").map((_, i) => i + 1));
  },
});
