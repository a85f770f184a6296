/**
 * What some engines lack, done without: Deno has all of it, Node 20 to 24, WebKit and Chromium lack one thing or the other.
 *
 * @module
 */

/** `Symbol.dispose`, which names a method in classes; a symbol of its own where there is none, as compilers of `using` take. */
export const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for("Symbol.dispose");

/** Bytes whose methods may be missing. */
interface MaybeConverting {
  toHex?(): string;
  toBase64?(): string;
}

/** Bytes as lowercase hexadecimal digits. */
export function toHex(bytes: Uint8Array): string {
  return (bytes as MaybeConverting).toHex?.() ??
    Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Bytes in Base64 (RFC 4648), with padding. */
export function toBase64(bytes: Uint8Array): string {
  const native = (bytes as MaybeConverting).toBase64?.();
  if (native !== undefined) return native;
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

/**
 * The bytes of Base64 with padding and nothing besides.
 *
 * @throws {Error} If it is something else, of a class that depends on the engine.
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const { fromBase64: native } = Uint8Array as { fromBase64?: typeof Uint8Array.fromBase64 };
  if (native) return native.call(Uint8Array, text, { lastChunkHandling: "strict" });
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    throw new Error("it is no Base64");
  }
  // atob takes text without padding, and bits beyond the last byte.
  if (
    text.length % 4 ||
    btoa(binary.slice(binary.length - binary.length % 3)) !== text.slice(text.length - lastChunk(text))
  ) {
    throw new Error("it is no Base64 with padding");
  }
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Characters of the last four that stand for fewer than three bytes. */
function lastChunk(text: string): number {
  return text.endsWith("=") ? 4 : 0;
}

/** The pieces of a stream, one by one. WebKit's streams have readers alone. */
export function iterate(stream: AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>): AsyncIterator<Uint8Array> {
  if (Symbol.asyncIterator in stream) return stream[Symbol.asyncIterator]();
  const reader = (stream as ReadableStream<Uint8Array>).getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<Uint8Array>>,
    async return() {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}
