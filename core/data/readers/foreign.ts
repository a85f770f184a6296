/**
 * Files of other kinds, by their first bytes: they are named, not taken for text in some encoding.
 *
 * @module
 */

import { badFile } from "./bad_data.ts";
import type { Format } from "./record.ts";

const SAVE = "save its table as .csv", UNPACK = "unpack it first";

/** First bytes as Latin-1, what begins with them, and what to do. */
const KINDS: readonly (readonly [RegExp, string, string])[] = [
  [/^PAR1/, "a Parquet file", SAVE],
  [/^ARROW1|^FEA1/, "a Feather file", SAVE],
  [/^\x89HDF/, "an HDF5 file", "save its arrays as .npy or .npz"],
  [/^MATLAB 5/, "a MATLAB file", "save its arrays as .npy or .npz"],
  [/^\xd0\xcf\x11\xe0/, "an Excel file of the old kind", SAVE],
  [/^SQLite f/, "an SQLite database", SAVE],
  [/^\x80[\x02-\x05]/, "a pickle of Python", "save its table as .csv, its arrays as .npy or .npz"],
  [/^\x1f\x8b/, "gzip within gzip", UNPACK],
  [/^BZh\d/, "packed by bzip2", UNPACK],
  [/^\xfd7zXZ/, "packed by xz", UNPACK],
  [/^7z\xbc\xaf/, "packed by 7-Zip", UNPACK],
  [/^\x28\xb5\x2f\xfd/, "packed by zstd", UNPACK],
  [/^%PDF/, "a PDF", "save its text"],
  [/^\x89PNG|^\xff\xd8\xff|^GIF8/, "a picture", "name the data"],
  [/^<!doctyp|^<html|^<\?xml/i, "a page in HTML or XML", "name the data: a download may have failed"],
];

/** Refuses a file whose first bytes are of no format of ours, or of another than it is read as. */
export function refuseForeign(file: string, head: Uint8Array, format: Format): void {
  const text = String.fromCharCode(...head).replace(/^\xef\xbb\xbf/, "");
  const isArray = format === "npy" || format === "npz";
  if (!isArray && text.startsWith("PK\x03\x04")) throw refused(file, "a zip archive, as Excel's files are", SAVE);
  if (!isArray && text.startsWith("\x93NUMPY")) throw refused(file, "an array of NumPy", "give it the ending .npy");
  const kind = KINDS.find(([bytes]) => bytes.test(text));
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
