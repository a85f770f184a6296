/**
 * A model of what a step costs on many hosts, from parts that are measured here: the processor time of one process's share of
 * the blocks, with exchanges that do nothing, and the bytes that a step exchanges. Latency and bandwidth are assumed.
 *
 *     deno task fleet:model --figure .github/fleet.svg
 *
 * @module
 */

import process from "node:process";
import { createModel, createTrainer, type Fleet, sampleDataset } from "../../mod.ts";
import { COLOURS, element, figure, label, logScale } from "../bench/svg.ts";
import { commandLine } from "../command_line.ts";
import { overRing } from "./bytes.ts";

/** Steps of 512 sequences: how many blocks they are cut into. */
const SIZES = {
  "T 64, I 32, H 128": { steps: 64, features: 32, hiddenSize: 128, numLayers: 1, blocks: 64 },
  "T 100, I 64, H 256, 2 layers": { steps: 100, features: 64, hiddenSize: 256, numLayers: 2, blocks: 32 },
};
const B = 512, PROCESSES = [1, 2, 4, 8, 16, 32, 64];

/** Networks: bytes in a second, and seconds until a message is there. */
const NETWORKS = { "10 Gbit/s": { rate: 1.25e9, latency: 3e-5 }, "1 Gbit/s": { rate: 1.2e8, latency: 1e-4 } };

/** One of so many processes, whose exchanges take no time. */
function stub(size: number): Fleet {
  const nothing = () => {}, hosts = Array(size).fill("");
  return {
    rank: 0,
    size,
    hosts,
    library: "none",
    spent: { ms: 0, bytes: 0 },
    gather: nothing,
    exchange: nothing,
    abort: nothing,
    close: nothing,
  };
}

/** Milliseconds of processor time of a step in one of so many processes, the least of a few, and the number of parameters. */
async function share(
  size: number,
  { steps, features, hiddenSize, numLayers }: typeof SIZES[keyof typeof SIZES],
): Promise<{ readonly ms: number; readonly parameters: number }> {
  const config = { inputSize: features, hiddenSize, numLayers, outputSize: 2 };
  using model = await createModel(config, { threads: 1, fleet: stub(size) });
  const { x, shape, targets } = sampleDataset({ size: B, steps, features }), trainer = createTrainer(model);
  let ms = Infinity;
  for (let i = 0; i < (size < 4 ? 2 : 4); i++) {
    const before = process.cpuUsage();
    await trainer.step({ x, shape }, targets);
    const { user, system } = process.cpuUsage(before);
    if (i > 0) ms = Math.min(ms, (user + system) / 1000);
  }
  return { ms, parameters: model.parameters.reduce((sum, { length }) => sum + length, 0) };
}

const { values } = commandLine("deno task fleet:model", "A model of steps on many hosts, from measured parts.", {
  figure: { type: "string", default: "", about: "write a figure", takes: "FILE" },
});
const lines: { name: string; points: [size: number, speedup: number][] }[] = [];
for (const [name, size] of Object.entries(SIZES)) {
  const sizes = PROCESSES.filter((n) => n <= size.blocks), found: Awaited<ReturnType<typeof share>>[] = [];
  for (const n of sizes) found.push(await share(n, size));
  console.log(`${name}: ${sizes.map((n, i) => `${n}: ${found[i]!.ms.toFixed(1)} ms`).join(", ")}`);
  for (const [network, { rate, latency }] of Object.entries(NETWORKS)) {
    const points = sizes.map((n, i): [number, number] => {
      const bytes = n === 1 ? 0 : 4 * found[i]!.parameters * overRing(n, size.blocks) * 2 * (n - 1) / n;
      return [n, found[0]!.ms / (found[i]!.ms + 1000 * (bytes / rate + (n > 1 ? 2 * (n - 1) * latency : 0)))];
    });
    lines.push({ name: `${name}; ${network}`, points });
    console.log(`  ${network}: ${points.map(([n, times]) => `${n}: ${times.toFixed(1)}×`).join(", ")}`);
  }
}
if (values.figure) {
  const x = logScale(1, 64, 50, 400), y = logScale(1, 64, 330, 50);
  const colours = [COLOURS.blue, COLOURS.sky, COLOURS.vermilion, COLOURS.orange];
  const parts = [
    label(20, 24, "A model, not a measurement: speed-up of a step of 512 sequences", { class: "h" }),
    ...PROCESSES.flatMap((n) => [
      element("path", { d: `M50 ${y(n).toFixed(1)}H400`, class: "g" }),
      label(44, y(n) + 4, `${n}×`, { "text-anchor": "end", class: "q" }),
      label(x(n), 348, `${n}`, { "text-anchor": "middle", class: "q" }),
    ]),
    label(225, 368, "hosts, a process and a thread on each", { "text-anchor": "middle", class: "q" }),
    ...lines.flatMap(({ name, points }, i) => {
      const d = points.map(([n, times], k) => `${k ? "L" : "M"}${x(n).toFixed(1)} ${y(times).toFixed(1)}`).join("");
      return [
        element("path", { d, fill: "none", stroke: colours[i]!, "stroke-width": 2 }),
        element("path", { d: `M420 ${70 + 24 * i}h16`, stroke: colours[i]!, "stroke-width": 2 }),
        label(442, 74 + 24 * i, name),
      ];
    }),
    label(420, 190, "processor time measured; latency and", { class: "q" }),
    label(420, 206, "bandwidth assumed, nothing overlaps", { class: "q" }),
  ];
  await Deno.writeTextFile(values.figure, figure(720, 384, "A model of several hosts", parts));
}
