/**
 * Files of other kinds, by their first bytes: they are named, not taken for text in some encoding.
 *
 * @module
 */

import { badFile } from "./bad_data.ts";
import type { Format } from "./record.ts";

const SAVE = "save its table as .csv", UNPACK = "unpack it first";

/** What files of a kind begin with, as Latin-1 in lower case, what they are, and what to do. */
const KINDS: readonly (readonly [starts: readonly string[], kind: string, advice: string])[] = [
  [["par1"], "a Parquet file", SAVE],
  [["arrow1", "fea1"], "a Feather file", SAVE],
  [["\x89hdf"], "an HDF5 file", "save its arrays as .npy or .npz"],
  [["matlab 5"], "a MATLAB file", "save its arrays as .npy or .npz"],
  [["\xd0\xcf\x11\xe0"], "an Excel file of the old kind", SAVE],
  [["sqlite f"], "an SQLite database", SAVE],
  [
    ["\x80\x02", "\x80\x03", "\x80\x04", "\x80\x05"],
    "a pickle of Python",
    "save its table as .csv, its arrays as .npy",
  ],
  [["\x1f\x8b"], "gzip within gzip", UNPACK],
  [["bzh9", "bzh1", "bzh6"], "packed by bzip2", UNPACK],
  [["\xfd7zxz"], "packed by xz", UNPACK],
  [["7z\xbc\xaf"], "packed by 7-Zip", UNPACK],
  [["\x28\xb5\x2f\xfd"], "packed by zstd", UNPACK],
  [["%pdf"], "a PDF", "save its text"],
  [["\x89png", "\xff\xd8\xff", "gif8"], "a picture", "name the data"],
  [["<!doctyp", "<html", "<?xml"], "a page in HTML or XML", "name the data: a download may have failed"],
];

/** Refuses a file whose first bytes are of no format of ours, or of another than it is read as. */
export function refuseForeign(file: string, head: Uint8Array, format: Format): void {
  const bytes = String.fromCharCode(...head), text = bytes.startsWith("\xef\xbb\xbf") ? bytes.slice(3) : bytes;
  const isArray = format === "npy" || format === "npz";
  if (!isArray && text.startsWith("PK\x03\x04")) throw refused(file, "a zip archive, as Excel's files are", SAVE);
  if (!isArray && text.startsWith("\x93NUMPY")) throw refused(file, "an array of NumPy", "give it the ending .npy");
  const lower = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const kind = KINDS.find(([starts]) => starts.some((start) => lower.startsWith(start)));
  if (kind) throw refused(file, kind[1], kind[2]);
}

/** Refuses an archive that is none of arrays, by the names in it. */
export function refuseWorkbook(file: string, names: readonly string[]): void {
  if (names.some((name) => /^(xl|word|ppt)\/|^\[Content_Types\]\.xml$/.test(name))) {
    throw refused(file, "a file of Excel, or of its kind", SAVE);
  }
}

function refused(file: string, kind: string, advice: string): TypeError {
  return badFile("file-unsupported", file, `it is ${kind}`, { advice });
}
