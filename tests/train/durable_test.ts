import assert from "node:assert/strict";
import { FileLock, removeLeftovers, writeDurably } from "../../core/train/durable.ts";
import { Place, ROOT, runDeno } from "../cli/run.ts";

const LINUX = Deno.build.os === "linux";

Deno.test("writeDurably() puts a file at a path or URL, over what stood there, and leaves nothing beside it", async () => {
  await using place = await Place.make();
  place.write("a b%.json", "old");
  await writeDurably(`${place.path}/a b%.json`, "new");
  await writeDurably(new URL(`file://${place.path}/c%20d.json`), "à");
  await writeDurably(new URL(`file://${place.path}/c%20d.json?x#y`), "é");
  assert.deepEqual(place.files(), ["a b%.json", "c d.json"]);
  assert.deepEqual(["a b%.json", "c d.json"].map((name) => place.read(name)), ["new", "é"]);
});

Deno.test("writeDurably() writes to a name without a folder", async () => {
  await using place = await Place.make();
  const code = `import { writeDurably } from "${ROOT}/core/train/durable.ts"; await writeDurably("x.json", "here");`;
  place.write("run.ts", code);
  const permissions = [`--allow-read=${place.path}`, `--allow-write=${place.path}`];
  const { err } = await runDeno(["run", "--no-prompt", ...permissions, "run.ts"], { cwd: place.path });
  assert.equal(err, "");
  assert.deepEqual([place.files(), place.read("x.json")], [["run.ts", "x.json"], "here"]);
});

Deno.test("many that write to one path at once: it is always whole, and nothing is left beside it", async () => {
  await using place = await Place.make();
  const path = `${place.path}/last.json`, texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(30000));
  await writeDurably(path, texts[0]!);
  let done = false;
  const seen = (async () => {
    while (!done) assert.ok(texts.includes(await Deno.readTextFile(path)));
  })();
  await Promise.all(texts.map((text) => writeDurably(path, text)));
  done = true;
  await seen;
  assert.deepEqual(place.files(), ["last.json"]);
});

Deno.test("a file that cannot be written leaves what stood there, and nothing beside it", async () => {
  await using place = await Place.make();
  // The temporary file can be written, but not renamed onto a folder.
  Deno.mkdirSync(`${place.path}/taken.json/inside`, { recursive: true });
  await assert.rejects(writeDurably(`${place.path}/taken.json`, "new"), Error);
  await assert.rejects(writeDurably(`${place.path}/none/new.json`, "new"), Deno.errors.NotFound);
  assert.deepEqual(Array.from(Deno.readDirSync(place.path), ({ name }) => name), ["taken.json"]);
});

Deno.test({
  name: "a disk that is full, or a limit to a file's size, leaves what stood there, and nothing beside it",
  ignore: !LINUX,
  async fn() {
    await using place = await Place.make();
    place.write("last.json", "old");
    const code = `import { writeDurably } from "${ROOT}/core/train/durable.ts";
      try { await writeDurably("last.json", "x".repeat(3e6)); } catch (error) { console.log(error.message); }`;
    place.write("run.ts", code);
    // SIGXFSZ ignored, a write beyond the limit fails as on a full disk.
    const shell = `trap '' XFSZ; ulimit -f 1024; exec "$DENO" run --no-prompt --allow-read=. --allow-write=. run.ts`;
    const { stdout, stderr } = await new Deno.Command("bash", {
      args: ["-c", shell],
      cwd: place.path,
      env: { DENO: Deno.execPath(), NO_COLOR: "1" },
    }).output();
    assert.match(new TextDecoder().decode(stdout), /^File too large [^\n]*\n$/, new TextDecoder().decode(stderr));
    assert.deepEqual([place.files(), place.read("last.json")], [["last.json", "run.ts"], "old"]);
  },
});

Deno.test("removeLeftovers() removes what was left of writing to those files alone", async () => {
  await using place = await Place.make();
  const kept = ["a.json", "a.json.1.tmp", "a.json.0123456g.tmp", "b.json.01234567.tmp", "a.json.lock", "xa.json.tmp"];
  for (const name of [...kept, "a.json.01234567.tmp", "a.json.89abcdef.tmp", "a.json.tmp"]) place.write(name, "");
  await removeLeftovers(place.path, (name) => name === "a.json");
  assert.deepEqual(place.files(), kept.toSorted());
});

Deno.test("a lock has one holder at a time, whom it names; the next has it when the file is closed", async () => {
  await using place = await Place.make();
  const path = `${place.path}/x.lock`;
  const first = await FileLock.take(path);
  assert.ok(first instanceof FileLock);
  const second = await FileLock.take(path);
  assert.ok(!(second instanceof FileLock) && second.isSibling);
  assert.match(second.words, new RegExp(`^process ${Deno.pid}, since \\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$`));
  first[Symbol.dispose]();
  assert.deepEqual(place.files(), []);
  const third = await FileLock.take(path);
  assert.ok(third instanceof FileLock);
  third[Symbol.dispose]();
});

Deno.test("a lock file that a killed program left is nobody's", async () => {
  await using place = await Place.make();
  place.write("x.lock", '{"process":1,"since":"2020-01-01T00:00:00.000Z"}');
  using lock = await FileLock.take(`${place.path}/x.lock`) as FileLock;
  assert.ok(lock instanceof FileLock);
  assert.equal(JSON.parse(place.read("x.lock")).process, Deno.pid);
});

Deno.test("of many that want a lock at once, one has it at any time", async () => {
  await using place = await Place.make();
  let holders = 0, taken = 0;
  await Promise.all(Array.from({ length: 20 }, async () => {
    for (;;) {
      const lock = await FileLock.take(`${place.path}/x.lock`);
      if (!(lock instanceof FileLock)) continue;
      assert.equal(++holders, 1);
      await new Promise((resolve) => setTimeout(resolve, 1));
      holders--;
      taken++;
      lock[Symbol.dispose]();
      return;
    }
  }));
  assert.deepEqual([taken, place.files()], [20, []]);
});
