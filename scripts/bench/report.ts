/**
 * What all benchmarks say of themselves, and how they count and print.
 *
 * @module
 */

import { cpus, totalmem } from "node:os";
import { VERSION } from "../../mod.ts";

/** Where and with what a benchmark ran. */
export interface Setting {
  readonly date: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGiB: number;
    readonly system: string;
    /** Load average of the minute before. */
    readonly load: number;
  };
  /** Of everything that took part. */
  readonly versions: Record<string, string>;
  readonly options: Record<string, unknown>;
}

/** The cores that there are. */
export const CORES = navigator.hardwareConcurrency;

/** The setting of a run that starts now. */
export function setting(options: Record<string, unknown>): Setting {
  return {
    date: new Date().toISOString().slice(0, 19) + "Z",
    machine: {
      cpu: cpus()[0]?.model ?? "unknown",
      cores: CORES,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      system: `${Deno.build.os} ${Deno.build.arch}`,
      load: Number(Deno.loadavg()[0]!.toFixed(2)),
    },
    versions: { grutto: VERSION, deno: Deno.version.deno, v8: Deno.version.v8 },
    options,
  };
}

/** One line about a setting. */
export function describe({ date, machine: { cpu, cores, load }, versions }: Setting): string {
  const engine = `Grutto ${versions.grutto}, Deno ${versions.deno} (V8 ${versions.v8})`;
  return `${engine}; ${cpu}, ${cores} cores, load ${load}; ${date}`;
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

/** Three digits that count, without an exponent. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const digits = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(6, Math.max(0, 2 - digits)));
}

/** Rows as columns, the first to the left and the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => [...row[i] ?? ""].length)));
  const cell = (text: string, i: number) => i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!);
  return rows.map((row) => row.map(cell).join("   ").trimEnd()).join("\n");
}

/** The same as Markdown, the first row being its head. */
export function markdown([head, ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head!), line(head!.map((_, i) => i === 0 ? "---" : "---:")), ...rows.map(line)].join("\n");
}
