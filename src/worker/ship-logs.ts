// Ships log lines in batches while the task runs, on the supervisor thread. A batch is repeated until it is taken; lines are
// numbered, so a repeat adds nothing twice. What the API refuses for good is replaced by one line that says so.

import type { LogLine } from "../contract/execution.ts";
import { cleanText } from "../core/clean-text.ts";
import type { Clock } from "../lifecycle/clock.ts";
import type { CallApi } from "./call-api.ts";

export type UnnumberedLine = Omit<LogLine, "seq">;

export interface LogShipper {
  /** @param onShipped once the API has taken it, or refused it for good */
  add(line: UnnumberedLine, onShipped: () => void): void;
  /** Ships what is left at once; returns the number of lines that did not get through within `limitMs`. */
  flush(limitMs: number): Promise<number>;
}

export interface LogShipperOptions {
  callApi: CallApi;
  token: () => string;
  clock: Clock;
  onStale: (detail: string) => void;
}

const MAX_BATCH_LINES = 2_000;
const MAX_BATCH_BYTES = 512 * 1024;
// Lines wait this long for company, so that a chatty task makes four calls a second and not thousands.
const LINGER_MS = 250;

export function createLogShipper({ callApi, token, clock, onStale }: LogShipperOptions): LogShipper {
  let queue: { line: LogLine; onShipped: () => void }[] = [];
  let seq = 0;
  let shipping: Promise<void> | null = null;
  let flushing = false;
  let closed = false;
  let hurry = new AbortController();
  const abandon = new AbortController();

  const takeBatch = () => {
    const texts: string[] = [];
    let bytes = 0;
    for (const { line } of queue) {
      const text = JSON.stringify(line);
      bytes += Buffer.byteLength(text) + 1;
      if (texts.length > 0 && (bytes > MAX_BATCH_BYTES || texts.length >= MAX_BATCH_LINES)) break;
      texts.push(text);
    }
    return { batch: queue.slice(0, texts.length), body: `{"lines":[${texts.join(",")}]}` };
  };

  const shipBatch = async (): Promise<void> => {
    const { batch, body } = takeBatch();
    const answer = await callApi({
      method: "POST",
      action: "logs",
      token,
      body,
      deadline: Infinity,
      signal: abandon.signal,
    });
    const [first] = batch;
    switch (answer.kind) {
      case "ok":
        queue = queue.slice(batch.length);
        for (const { onShipped } of batch) onShipped();
        return;
      case "stale":
        closed = true;
        onStale(answer.detail);
        return;
      case "refused": {
        queue = queue.slice(batch.length);
        for (const { onShipped } of batch) onShipped();
        const event = `[windlass] ${batch.length} log lines are missing here: the API refused them: ${answer.detail}`;
        // One line of our own is not worth a second try.
        if (first && !first.line.event.startsWith("[windlass]")) {
          const line: LogLine = { ...first.line, level: "error", event: event.slice(0, 4_096) };
          queue.unshift({ line, onShipped: () => {} });
        }
        return;
      }
      case "away":
        closed = true;
        return;
    }
  };

  const ship = async (): Promise<void> => {
    while (queue.length > 0 && !closed) {
      if (!flushing && queue.length < MAX_BATCH_LINES) await clock.sleep(LINGER_MS, hurry.signal);
      await shipBatch();
    }
    shipping = null;
  };

  return {
    add: (line, onShipped) => {
      queue.push({ line: { seq, ...line, event: cleanText(line.event) }, onShipped });
      seq += 1;
      if (queue.length === MAX_BATCH_LINES) {
        hurry.abort();
        hurry = new AbortController();
      }
      if (!closed) shipping ??= ship();
    },
    flush: async (limitMs) => {
      flushing = true;
      hurry.abort();
      const limit = AbortSignal.timeout(limitMs);
      limit.addEventListener("abort", () => abandon.abort(), { once: true });
      await shipping;
      return queue.length;
    },
  };
}
