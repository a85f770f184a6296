/**
 * Steps of one and of two processes, taking turns: medians, their quotient, and the share of the exchange.
 *
 *     deno task fleet:speed --rounds 5
 *
 * @module
 */

import { commandLine, numberOption } from "../command_line.ts";
import { LAUNCHER, run } from "./launch.ts";

/** Sizes of steps: the flags of the sample job, and batches in an epoch. */
const SIZES = {
  S3: { flags: "--steps 64 --features 32 --hidden-size 128 --batch-size 64 --size 1920", epochs: 4 },
  S4: { flags: "--steps 100 --features 64 --hidden-size 256 --num-layers 2 --batch-size 64 --size 480", epochs: 2 },
};

const { values } = commandLine("deno task fleet:speed", "Compares steps of one and of several processes.", {
  rounds: { type: "string", default: "5", about: "how often they take turns" },
  processes: { type: "string", default: "2", about: "how many processes" },
  launcher: { type: "string", default: LAUNCHER, about: "what starts them, {} in place of their number" },
  mpi: { type: "string", default: "", about: "the MPI library", takes: "PATH" },
  only: { type: "string", default: "", about: "S3 or S4" },
});
const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
const many = numberOption("processes", values.processes, 2);
for (const [name, { flags, epochs }] of Object.entries(SIZES)) {
  if (!name.includes(values.only)) continue;
  const times: Record<number, number[]> = { 1: [], [many]: [] }, shares: number[] = [];
  const megabytes = new Set<string>();
  for (let round = 0; round < numberOption("rounds", values.rounds, 1); round++) {
    for (const size of [1, many]) {
      const words = [...flags.split(" "), "--epochs", `${epochs + 1}`, "--threads", "1"];
      const { code, out, err } = await run(size, words, values);
      if (code) throw new Error(err);
      // The first epoch compiles; each has a validation of a quarter of its sequences besides.
      const spent = [...out.matchAll(/^epoch .*? (\d[\d.]*) (ms|s)\r?$/gm)].slice(1).map(([, number, unit]) =>
        Number(number) * (unit === "s" ? 1000 : 1)
      );
      times[size]!.push(Math.min(...spent));
      const [, share, received] = /^exchange +([\d.]+) %.*?([\d.]+) MB/m.exec(out) ?? [];
      if (share !== undefined) shares.push(Number(share));
      if (received !== undefined) megabytes.add(received);
    }
  }
  const [one, all] = [median(times[1]!), median(times[many]!)];
  const quotients = times[1]!.map((time, i) => time / times[many]![i]!);
  console.log(
    `${name}: an epoch of 1 process ${one.toFixed(1)} ms, of ${many} ${all.toFixed(1)} ms: ${
      (one / all).toFixed(2)
    }× ` +
      `(by turns ${quotients.map((quotient) => quotient.toFixed(2)).join(", ")}); exchange ${median(shares)} %, ` +
      `${[...megabytes].join(", ")} MB received by each`,
  );
}
