/** The elements of an array in a file, a row after the other. */

import { badFile } from "./bad_data.ts";
import { ByteReader } from "./bytes.ts";
import { type NpyHead, readNpyHead } from "./npy.ts";

export function tooLarge(name: string, what: string, limit: number): Error {
  return badFile("file-too-large", name, `${what} larger than ${limit} bytes, the limit`, {
    option: "maxBytes",
    advice: "raise maxBytes",
  });
}

/** The bytes of an array whose first index changes fastest, with the last one so. */
function inRows(bytes: Uint8Array, { shape, size }: NpyHead): Uint8Array {
  const rows = new Uint8Array(bytes.length), at = shape.map(() => 0);
  const strides = shape.map((_, d) => shape.slice(0, d).reduce((a, b) => a * b, size));
  let from = 0;
  for (let to = 0; to < rows.length; to += size) {
    for (let i = 0; i < size; i++) rows[to + i] = bytes[from + i]!;
    for (let d = shape.length - 1; d >= 0; d--) {
      from += strides[d]!;
      if (++at[d]! < shape[d]!) break;
      from -= strides[d]! * shape[d]!;
      at[d] = 0;
    }
  }
  return rows;
}

/** Elements of an array, a row after the other. */
export class Rows {
  readonly head: NpyHead;
  /** Its name in errors. */
  readonly name: string;
  /** Elements in a row. */
  readonly width: number;
  readonly #bytes: ByteReader;

  private constructor(name: string, head: NpyHead, bytes: ByteReader) {
    this.name = name;
    this.head = head;
    this.width = head.shape.slice(1).reduce((a, b) => a * b, 1);
    this.#bytes = bytes;
  }

  static async open(name: string, stream: AsyncIterable<Uint8Array>, limit: number): Promise<Rows> {
    const bytes = new ByteReader(stream), head = await readNpyHead(name, bytes), rows = new Rows(name, head, bytes);
    if (head.isFortran && head.shape.length > 1) {
      const { shape, size } = head, count = shape.reduce((a, b) => a * b, 1);
      if (!(count * size <= limit)) throw tooLarge(name, `shape [${shape}], in Fortran order, is`, limit);
      const all = await bytes.read(count * size);
      // What is cut off fails where its row is read.
      if (all.length === count * size) bytes.putBack(inRows(all, head));
      else bytes.putBack(all);
    }
    if (!(rows.width * head.size <= limit)) {
      throw tooLarge(name, `a row of shape [${head.shape}] is`, limit);
    }
    return rows;
  }

  /** The bytes of the next row. */
  async next(row: number): Promise<DataView<ArrayBuffer>> {
    const size = this.width * this.head.size, bytes = await this.#bytes.read(size);
    if (bytes.length < size) {
      throw badFile("file-cut-off", this.name, `the file ends in row ${row + 1} of ${this.head.shape[0]}`);
    }
    return new DataView(bytes.buffer);
  }

  /** Holds that nothing follows the last row. */
  async end(): Promise<void> {
    if ((await this.#bytes.read(1)).length) {
      throw badFile("file-malformed", this.name, `the file continues after its ${this.head.shape[0]} rows`);
    }
  }
}
