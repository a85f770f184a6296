/**
 * Bytes in exact counts from a stream.
 *
 * @module
 */

/** Reads a stream by counts. */
export class ByteReader {
  readonly #stream: AsyncIterator<Uint8Array>;
  #pieces: Uint8Array[] = [];
  #length = 0;

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#stream = bytes[Symbol.asyncIterator]();
  }

  /** The next `count` bytes, in memory of their own; fewer where the stream ends. Takes room as they come. */
  async read(count: number): Promise<Uint8Array<ArrayBuffer>> {
    while (this.#length < count && await this.#more());
    const bytes = new Uint8Array(Math.min(count, this.#length));
    let at = 0, used = 0;
    while (at < bytes.length) {
      const piece = this.#pieces[used]!, part = piece.subarray(0, bytes.length - at);
      bytes.set(part, at);
      at += part.length;
      if (part.length < piece.length) this.#pieces[used] = piece.subarray(part.length);
      else used++;
    }
    this.#pieces.splice(0, used);
    this.#length -= at;
    return bytes;
  }

  /** The bytes that come next, at most `most`; none at the end. */
  async some(most: number): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.#length) await this.#more();
    return await this.read(Math.min(most, this.#length));
  }

  /** Puts bytes back that were read last. */
  putBack(bytes: Uint8Array): void {
    if (!bytes.length) return;
    this.#pieces.unshift(bytes);
    this.#length += bytes.length;
  }

  /** Closes the stream, read to its end or not. */
  async close(): Promise<void> {
    await this.#stream.return?.();
  }

  /** Takes a piece from the stream. False at the end. */
  async #more(): Promise<boolean> {
    for (;;) {
      const { done, value } = await this.#stream.next();
      if (done) return false;
      if (!value.length) continue;
      // A copy: a stream may use its buffer again.
      this.#pieces.push(value.slice());
      this.#length += value.length;
      return true;
    }
  }
}
