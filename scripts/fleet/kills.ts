/**
 * Kills one of several processes at a random instant, and resumes on another number of them: every job must end within a few
 * seconds and leave no process, and what is resumed must end with the bytes of the uninterrupted training.
 *
 *     deno task fleet:kills --times 50
 *
 * @module
 */

import { commandLine, numberOption } from "../command_line.ts";
import { command, hashOf, LAUNCHER, run } from "./launch.ts";

const { values } = commandLine("deno task fleet:kills", "Kills processes that train together, and resumes.", {
  times: { type: "string", default: "50", about: "kills" },
  launcher: { type: "string", default: LAUNCHER, about: "what starts them, {} in place of their number" },
  mpi: { type: "string", default: "", about: "the MPI library", takes: "PATH" },
});
const JOB = "--size 80 --steps 12 --hidden-size 48 --batch-size 32 --epochs 150 --threads 1 --checkpoint-every 1".split(
  " ",
);
const folder = await Deno.makeTempDir({ prefix: "grutto-" });
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The processes of this computer that train into a folder: not the launcher. */
function trainersOf(place: string): number[] {
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const words = Deno.readTextFileSync(`/proc/${name}/cmdline`).split("\0");
      if (/deno$/.test(words[0]!) && words.includes(place)) found.push(Number(name));
    } catch {
      // It is gone meanwhile.
    }
  }
  return found;
}

await run(1, [...JOB, "--checkpoint", `${folder}/whole`], values);
const wanted = await hashOf(`${folder}/whole/last.json`);
let slowest = 0, wrong = 0, killed = 0;
for (let i = 0; killed < numberOption("times", values.times, 1); i++) {
  const place = `${folder}/k${i}`,
    size = 2 + i % 3,
    child = command(size, [...JOB, "--checkpoint", place], values).spawn();
  const texts = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await pause(1200 + 2500 * Math.random());
  const pids = trainersOf(place);
  if (pids.length < size) {
    await child.status;
    await texts;
    continue;
  }
  Deno.kill(pids[Math.floor(Math.random() * pids.length)]!, "SIGKILL");
  const begun = performance.now(), spent = () => (performance.now() - begun) / 1000, { code } = await child.status;
  let left = trainersOf(place);
  // What the launcher has told to end may do so after it.
  for (; left.length && spent() < 5; left = trainersOf(place)) await pause(20);
  const seconds = spent();
  await texts;
  killed++;
  slowest = Math.max(slowest, seconds);
  const has = await hashOf(`${place}/last.json`) !== "none", next = 1 + (size + 1) % 4;
  const words = has ? ["--resume", `${place}/last.json`, "--threads", "1"] : JOB;
  const resumed = await run(next, [...words, "--checkpoint", place], values);
  const isRight = code !== 0 && seconds <= 5 && !left.length && await hashOf(`${place}/last.json`) === wanted;
  if (!isRight) wrong++;
  console.log(
    `${isRight ? "right" : "WRONG"}  ${size} processes ended with ${code} in ${
      seconds.toFixed(1)
    } s, ${left.length} left; ` +
      `${has ? "resumed" : "begun again"} on ${next}: exit ${resumed.code}`,
  );
}
await Deno.remove(folder, { recursive: true });
console.log(`${killed} kills, ${wrong} wrong, the slowest end after ${slowest.toFixed(1)} s`);
if (wrong) Deno.exit(1);
