/** Standard output that goes away, is full, or that nobody reads; terminals that are closed. */

import assert from "node:assert/strict";
import { MOD, Place } from "./run.ts";

const ignore = Deno.build.os !== "linux";
const SMALL = "--size 40 --steps 3 --hidden-size 4 --batch-size 8";
const ENDLESS = `${SMALL} --epochs 1000000`;

/** Runs a shell's command line, in which $GRUTTO is the program. Returns what it wrote to standard output and error. */
async function shell(place: Place, command: string): Promise<{ out: string; err: string }> {
  const run = new Deno.Command("bash", {
    args: ["-c", `G() { exec "$DENO" run --no-prompt --allow-read=. --allow-write=. "$MOD" "$@"; }; ${command}`],
    cwd: place.path,
    env: { DENO: Deno.execPath(), MOD, NO_COLOR: "1" },
    stdin: "null",
  });
  const { stdout, stderr } = await run.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { out: text(stdout), err: text(stderr) };
}

function testInShell(name: string, fn: (place: Place) => Promise<void>) {
  Deno.test({
    name,
    ignore,
    async fn() {
      await using place = await Place.make();
      await fn(place);
    },
  });
}

const epochOf = (place: Place, name: string) => JSON.parse(place.read(name)).generator.epoch as number;

testInShell("a reader that leaves early, as head does, ends what leaves nothing behind", async (place) => {
  for (const args of [ENDLESS, "help all"]) {
    const { out, err } = await shell(place, `( (G ${args}); echo "code $?" >&2 ) | head -1`);
    assert.match(out, /^(device|Trains) [^\n]*\n$/);
    assert.match(err, /^code (141|0)\n$/);
    if (args === ENDLESS) assert.equal(err, "code 141\n");
  }
});

testInShell("a training with a checkpoint continues without its reader, and the exit code tells", async (place) => {
  const { err } = await shell(place, `( (G ${SMALL} --epochs 300 --checkpoint ck); echo "code $?" >&2 ) | head -1`);
  assert.equal(
    err,
    "warning: standard output cannot be written: nobody reads it any more; training continues\ncode 141\n",
  );
  assert.equal(epochOf(place, "ck/last.json"), 300);
});

testInShell("a full disk behind standard output ends no training with a checkpoint", async (place) => {
  const kept = await shell(place, `(G ${SMALL} --epochs 300 --checkpoint ck > /dev/full); echo "code $?"`);
  assert.match(
    kept.err,
    /^warning: standard output cannot be written: No space left [^\n]*; training continues\nerror: /,
  );
  assert.equal(kept.out, "code 1\n");
  assert.equal(epochOf(place, "ck/last.json"), 300);
  for (const args of [ENDLESS, "--help", "evaluate ck/last.json", "predict ck/last.json"]) {
    const { out, err } = await shell(place, `(G ${args} > /dev/full); echo "code $?"`);
    assert.match(err, /^error: cannot write to standard output: No space left on device \(os error 28\)\n$/, args);
    assert.equal(out, "code 1\n", args);
  }
});

/** Starts a training, and waits for its first checkpoint. */
async function start(place: Place, name: string, command: string, args: string[]): Promise<Deno.ChildProcess> {
  const run = new Deno.Command(command, {
    args: [...args, ...ENDLESS.split(" "), `--checkpoint=${name}`],
    cwd: place.path,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(60_000),
  });
  const child = run.spawn();
  await until(() => Deno.stat(`${place.path}/${name}/last.json`).then(() => true, () => false));
  return child;
}

/** Waits for something, in a minute at most. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; !await isSo(); waited += 50) {
    assert.ok(waited < 60_000, `${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits until a training that nobody reads is some epochs further. */
async function goesOn(place: Place, name: string): Promise<void> {
  const first = epochOf(place, `${name}/last.json`);
  await until(() => epochOf(place, `${name}/last.json`) >= first + 1000);
}

const ALLOWED = ["run", "--no-prompt", "--allow-read=.", "--allow-write=.", MOD];

testInShell("signals stop and save a training whose output nobody reads, SIGHUP too", async (place) => {
  for (const [signal, code] of [["SIGHUP", 129], ["SIGTERM", 143], ["SIGINT", 130]] as const) {
    const child = await start(place, signal, Deno.execPath(), ALLOWED);
    // More than a pipe holds.
    await goesOn(place, signal);
    // Whatever ends a job may do it twice.
    child.kill(signal);
    child.kill(signal);
    const { code: ended } = await child.status, err = await new Response(child.stderr).text();
    await child.stdout.cancel();
    assert.equal(ended, code);
    const epoch = epochOf(place, `${signal}/last.json`);
    assert.match(err, new RegExp(`^stopped after epoch ${epoch}\\b[^\\n]*; to resume: [^\\n]*\\n$`));
  }
});

testInShell("a training under nohup outlives its terminal", async (place) => {
  const child = await start(place, "ck", "nohup", [Deno.execPath(), "run", "-A", MOD]);
  child.kill("SIGHUP");
  await goesOn(place, "ck");
  child.kill("SIGTERM");
  assert.equal((await child.status).code, 143);
  await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
});

testInShell("a pipe that does not block loses nothing, however slowly it is read", async (place) => {
  place.write(
    "slow.py",
    `import fcntl, os, subprocess, sys, time
r, w = os.pipe()
fcntl.fcntl(w, fcntl.F_SETFL, os.O_NONBLOCK | os.O_WRONLY)
fcntl.fcntl(w, 1031, 4096)
p = subprocess.Popen([os.environ["DENO"], "run", os.environ["MOD"], *sys.argv[1:]], stdout=w)
os.close(w)
text = b""
while part := os.read(r, 1000):
    text += part
    time.sleep(0.002)
sys.stdout.buffer.write(text)
sys.exit(p.wait())
`,
  );
  const { out, err } = await shell(place, `python3 slow.py ${SMALL} --epochs 400; echo "code $?" >&2`);
  assert.equal(err, "code 0\n");
  const epochs = [...out.matchAll(/^epoch +(\d+)\/400 .* m?s$/gm)].map(([, epoch]) => Number(epoch));
  assert.deepEqual(epochs, Array.from({ length: 400 }, (_, i) => i + 1));
  assert.match(out, /\ndone in [^\n]*\n$/);
});

testInShell(
  "a training with a checkpoint ends though nobody reads its lines, and its exit code tells",
  async (place) => {
    const run = new Deno.Command(Deno.execPath(), {
      args: [...ALLOWED, ...`${SMALL} --epochs 3000 --checkpoint ck`.split(" ")],
      cwd: place.path,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1" },
      signal: AbortSignal.timeout(60_000),
    });
    const child = run.spawn(), { code } = await child.status;
    await child.stdout.cancel();
    const err = await new Response(child.stderr).text();
    assert.deepEqual([code, err], [1, "warning: nobody reads standard output: its last lines are lost\n"]);
    assert.equal(epochOf(place, "ck/last.json"), 3000);
  },
);

const ODD = [
  "a,b",
  "two words",
  "it's",
  '"quoted"',
  "$HOME `x` \\\\ %s",
  "--odd",
  "line\nend",
  "esc\x1b[31m\u202e",
  "Größe",
];

testInShell("the command that resumes works when it is typed, whatever its path holds", async (place) => {
  for (const name of ODD) {
    const child = await start(place, name, Deno.execPath(), ALLOWED);
    child.kill("SIGINT");
    const { code } = await child.status,
      err = await new Response(child.stderr).text(),
      before = epochOf(place, `${name}/last.json`);
    await child.stdout.cancel();
    assert.equal(code, 130);
    const [, command] = /^stopped after epoch [^\n]*; to resume: deno (run [^\n]*)\n$/.exec(err) ?? [];
    assert.ok(command, err);
    const typed = command.replace(/ run /, " run --no-prompt ");
    // It is told to end once it has read the checkpoint, which the first line says.
    const again = new Deno.Command("sh", {
      args: ["-c", `exec "$DENO" ${typed}`],
      cwd: place.path,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: { DENO: Deno.execPath(), NO_COLOR: "1" },
      signal: AbortSignal.timeout(60_000),
    }).spawn();
    const reader = again.stdout.pipeThrough(new TextDecoderStream()).getReader();
    for (let seen = ""; !/^epoch /m.test(seen);) {
      const { value, done } = await reader.read();
      assert.ok(!done, `${name}: ${seen} ${done && await new Response(again.stderr).text()}`);
      seen += value;
    }
    again.kill("SIGINT");
    await reader.cancel();
    assert.equal((await again.status).code, 130);
    await again.stderr.cancel();
    assert.ok(epochOf(place, `${name}/last.json`) > before, name);
  }
});
