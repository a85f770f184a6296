/** What a person at a terminal sees: in a pseudo-terminal, made by util-linux's script or by Python. */

import assert from "node:assert/strict";
import { MOD, Place } from "./run.ts";

/** The program that runs a shell's command line in a pseudo-terminal and ends with its exit code. */
async function findTerminal(): Promise<((command: string) => string[]) | undefined> {
  const works = async (program: string, ...args: string[]) => {
    try {
      const { success, stdout } = await new Deno.Command(program, { args, stdin: "null" }).output();
      return success ? new TextDecoder().decode(stdout) : "";
    } catch {
      return "";
    }
  };
  if ((await works("script", "--version")).includes("util-linux")) {
    return (command) => ["script", "-qec", command, "/dev/null"];
  }
  const python = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(['sh', '-c', sys.argv[1]])))";
  if (await works("python3", "-c", "import pty; print('yes')")) return (command) => ["python3", "-c", python, command];
}

const terminal = await findTerminal();
if (!terminal) console.log("tests/cli/terminal_test.ts is skipped: neither util-linux's script nor python3 is here");

/**
 * Runs the command line in a pseudo-terminal.
 *
 * @param answers What is typed, in turn, each as soon as its pattern is seen behind what was seen before; again and again
 * where it answers a question of Deno, which throws away what is typed in the first moment.
 */
async function inTerminal(
  place: Place,
  args: string,
  { answers = [], permissions = "", setup = "", to = "" }: {
    answers?: [RegExp, string][];
    permissions?: string;
    setup?: string;
    to?: string;
  } = {},
): Promise<{ code: number; screen: string }> {
  const [program, ...rest] = terminal!(`${setup} exec "$DENO" run ${permissions} "$MOD" ${args} ${to}`) as [string];
  const child = new Deno.Command(program, {
    args: rest,
    cwd: place.path,
    env: { DENO: Deno.execPath(), MOD, NO_COLOR: "1", SHELL: "/bin/sh" },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const keyboard = child.stdin.getWriter(), left = [...answers];
  let screen = "", seen = 0, typing: ReturnType<typeof setInterval> | undefined;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    screen += text;
    if (/(Granted|Denied) \w+ access/.test(screen.slice(seen))) clearInterval(typing);
    for (let found; left.length && (found = left[0]![0].exec(screen.slice(seen)));) {
      seen += found.index + found[0].length;
      const type = (keys: string) => keyboard.write(new TextEncoder().encode(keys)).catch(() => {});
      const [, keys] = left.shift()!;
      await type(keys);
      clearInterval(typing);
      if (found[0].includes("Allow?")) typing = setInterval(type, 200, keys);
    }
  }
  clearInterval(typing);
  const { code } = await child.status;
  await keyboard.close().catch(() => {});
  assert.deepEqual(left, [], screen);
  return { code, screen };
}

/** The lines that stay on a terminal: a carriage return goes back to the line's start, ESC [K clears what follows. */
function visible(screen: string): string[] {
  return screen.replaceAll("\r\n", "\n").trimEnd().split("\n").map((line) => {
    let shown = "";
    for (const part of line.split("\r")) {
      const [text, ...cleared] = part.split("\x1b[K") as [string, ...string[]];
      shown = cleared.length ? text + cleared.join("") : text + shown.slice(text.length);
    }
    return shown;
  });
}

const SMALL = "--size 20 --steps 3 --hidden-size 3 --batch-size 8";
// deno-lint-ignore no-control-regex -- the language of terminals
const LIVE = /\repoch (\d+)\/\d+ {2}\[#*-*\] \d+\/\d+ {2}\d+:\d\d left\x1b\[K/g;

function testInTerminal(name: string, fn: (place: Place) => Promise<void>) {
  Deno.test({
    name,
    ignore: !terminal,
    async fn() {
      await using place = await Place.make();
      await fn(place);
    },
  });
}

testInTerminal("a plain run asks for nothing, shows a live line, and takes it away", async (place) => {
  const { code, screen } = await inTerminal(place, "--epochs 40");
  assert.equal(code, 0, screen);
  assert.doesNotMatch(screen, /Allow\?|requests/);
  const live = [...screen.matchAll(LIVE)].map(([, epoch]) => Number(epoch));
  assert.ok(live.length > 0, screen);
  assert.equal(live[0], 1, "it is there from the start");
  const lines = visible(screen);
  assert.equal(lines.length, 5 + 40 + 1);
  lines.slice(5, 45).forEach((line, i) => {
    assert.match(line, new RegExp(`^epoch ${String(i + 1).padStart(2)}/40   train loss [^[]* m?s$`));
  });
  assert.match(lines[45]!, /^done in /);
  assert.deepEqual(place.files(), []);
});

testInTerminal("the live line is cut to the terminal's width", async (place) => {
  const { screen } = await inTerminal(place, "--epochs 20", { setup: "stty cols 30;" });
  // deno-lint-ignore no-control-regex -- the terminal's own language
  const live = [...screen.matchAll(/\r(epoch [^\r\n]*?)\x1b\[K/g)].map(([, text]) => text!);
  assert.ok(live.length > 0, screen);
  for (const text of live) assert.equal(text.length, 29);
});

testInTerminal("with --quiet, or with standard output elsewhere, there is no live line", async (place) => {
  const quiet = await inTerminal(place, `${SMALL} --epochs 50 --quiet`);
  assert.match(quiet.screen, /^epoch 50\/50 [^\r\n]*\r\n$/);
  const away = await inTerminal(place, `${SMALL} --epochs 50`, { to: "> out.txt" });
  assert.deepEqual(away, { code: 0, screen: "" });
  // deno-lint-ignore no-control-regex -- nothing of the terminal's language belongs into a file
  assert.doesNotMatch(place.read("out.txt"), /[\x00-\x09\x0b-\x1f]/);
});

testInTerminal("permission for checkpoints is asked once, at the start; after no, training goes on", async (place) => {
  const { code, screen } = await inTerminal(place, `${SMALL} --epochs 3 --checkpoint ck`, {
    answers: [[/Allow\?.*> /, "n\n"]],
  });
  assert.equal(code, 0, screen);
  assert.equal(screen.match(/Allow\?/g)!.length, 1);
  assert.match(screen, /read access to "ck"/);
  const place1 = screen.indexOf(
    "\nnote: checkpoints will not be written, for lack of permission; to allow it: deno run ",
  );
  assert.ok(place1 > 0 && screen.indexOf("device ") > place1, screen);
  assert.match(visible(screen).at(-1)!, /^done in [^;]*$/);
  assert.deepEqual(place.files(), []);
});

testInTerminal("after yes to reading and writing, the checkpoints are written", async (place) => {
  const { code, screen } = await inTerminal(place, `${SMALL} --epochs 3 --checkpoint ck`, {
    answers: [[/read access to "ck"[^]*Allow\?.*> /, "y\n"], [/write access to "ck"[^]*Allow\?.*> /, "y\n"]],
  });
  assert.equal(code, 0, screen);
  assert.equal(screen.match(/Allow\?/g)!.length, 2);
  assert.doesNotMatch(screen, /note:/);
  assert.match(visible(screen).at(-1)!, /; kept in ck\/best\.json and ck\/last\.json$/);
  assert.deepEqual(place.files(), ["ck/best.json", "ck/last.json"]);
});

testInTerminal(
  "Ctrl-C at the keyboard stops training, takes the live line away, and says how to resume",
  async (place) => {
    const { code, screen } = await inTerminal(place, "--epochs 100000 --checkpoint ck", {
      permissions: "--allow-read=ck --allow-write=ck",
      answers: [[/epoch +3\/100000 {3}train/, "\x03"]],
    });
    assert.equal(code, 130, screen);
    const last = visible(screen).at(-1)!;
    assert.match(last, /^(\^C)?stopped after epoch \d+.*; to resume: deno run .* --resume ck\/last\.json$/);
    assert.ok(JSON.parse(place.read("ck/last.json")).generator.epoch >= 3);
  },
);

testInTerminal("evaluate and predict ask to read the checkpoint", async (place) => {
  const made = await place.run(`${SMALL} --epochs 1 --checkpoint ck`);
  assert.equal(made.code, 0);
  const yes = await inTerminal(place, "evaluate ck/last.json", {
    answers: [[/read access to "[^"]*ck\/last\.json"[^]*> /, "y\n"]],
  });
  assert.equal(yes.code, 0, yes.screen);
  assert.match(visible(yes.screen).at(-1)!, /^validation {2}loss /);
  const no = await inTerminal(place, "predict ck/last.json", { answers: [[/Allow\?.*> /, "n\n"]] });
  assert.equal(no.code, 1);
  assert.match(
    visible(no.screen).at(-1)!,
    /^error: cannot read checkpoint "ck\/last\.json": no permission; to allow it: deno run /,
  );
});
