/** Tables of requests as CSV: what is read from a file is read from them alike. */

import { member, Problem } from "./problem.ts";

/**
 * A table that a request holds as pandas writes it, as CSV; undefined if it holds none.
 *
 * @param json With `dataframe_split`, its columns and rows, or `dataframe_records`, an object a row.
 */
export function csvOf(json: unknown): string | undefined {
  const split = member(json, "dataframe_split"), records = member(json, "dataframe_records");
  if (split !== undefined) {
    const columns = member(split, "columns"), data = member(split, "data"), field = "dataframe_split";
    if (!Array.isArray(columns)) {
      throw new Problem(400, `${field}.columns must be a list`, { field: `${field}.columns` });
    }
    if (!Array.isArray(data)) {
      throw new Problem(400, `${field}.data must be a list of rows`, { field: `${field}.data` });
    }
    const rows = data.map((row, i) => {
      if (Array.isArray(row) && row.length === columns.length) return row;
      const place = `${field}.data[${i}]`;
      throw new Problem(400, `${place} must be a list of ${columns.length} cells, as columns has`, { field: place });
    });
    return lines([columns, ...rows], `${field}.data`);
  }
  if (records === undefined) return undefined;
  if (!Array.isArray(records) || !records.length) {
    throw new Problem(400, "dataframe_records must be a list of rows", { field: "dataframe_records" });
  }
  const columns = Object.keys(Object(records[0]) as object);
  const rows = records.map((record, i) => {
    if (typeof record === "object" && record !== null && !Array.isArray(record)) {
      return columns.map((column) => member(record, column));
    }
    const field = `dataframe_records[${i}]`;
    throw new Problem(400, `${field} must be an object`, { field });
  });
  return lines([columns, ...rows], "dataframe_records");
}

function lines(rows: readonly (readonly unknown[])[], field: string): string {
  return `${
    rows.map((row, i) => row.map((cell) => cellOf(cell, i ? `${field}[${i - 1}]` : field)).join(",")).join("\n")
  }\n`;
}

function cellOf(cell: unknown, field: string): string {
  if (cell === null || cell === undefined) return "";
  if (typeof cell === "number" || typeof cell === "boolean") return String(cell);
  if (typeof cell !== "string") throw new Problem(400, `${field} must be of strings, numbers and null`, { field });
  return /[",\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
