/**
 * Lets the event loop of a browser's worker run without the milliseconds that timers wait for. To be imported before the
 * library, which takes what is there.
 *
 * @module
 */

const { port1, port2 } = new MessageChannel(), waiting: (() => void)[] = [];
port1.onmessage = () => waiting.shift()?.();

const scope = globalThis as { setImmediate?: unknown };
scope.setImmediate ??= (run: () => void) => {
  waiting.push(run);
  port2.postMessage(0);
};
