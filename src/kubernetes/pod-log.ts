// The last part of a container's log, line by line. It comes through the API server from the node, which may be gone, slow or
// endless: the read has a deadline, and what is held of it a limit.

import { parseLogTime } from "../core/log-position.ts";
import type { Clock } from "../lifecycle/clock.ts";
import { startDeadline } from "./deadline.ts";
import type { KubernetesHttp } from "./http.ts";
import { podCall } from "./pods.ts";
import { readWhole } from "./read-whole.ts";
import { createLineSplitter } from "./split-lines.ts";
import { errorOfTransport } from "./transport-error.ts";

export interface PodLog {
  lines: PodLogLine[];
  /** Earlier lines, or the ends of very long ones, were left out. */
  shortened: boolean;
}

export interface PodLogLine {
  /** As the node wrote it, to the nanosecond: what stands in two readings is told by it. */
  timestamp: string;
  event: string;
}

export interface ReadPodLogOptions {
  http: KubernetesHttp;
  clock: Clock;
  namespace: string;
  pod: string;
  container: string;
  signal: AbortSignal;
}

// One pass waits for it, so a node that is slow holds the cleaning up for no longer.
const DEADLINE_MS = 10_000;
const MAX_LINES = 10_000;
const MAX_LINE_CHARACTERS = 16_384;
const MAX_CHARACTERS = 1_048_576;

/** Throws a KubernetesError. */
export async function readPodLog(options: ReadPodLogOptions): Promise<PodLog> {
  const { log } = await readWhole(
    () => readOnce(options),
    ({ bytes }) => bytes,
  );
  return log;
}

async function readOnce(options: ReadPodLogOptions): Promise<{ log: PodLog; bytes: number }> {
  const { http, namespace, pod, container } = options;
  const deadline = startDeadline(options.clock, DEADLINE_MS, options.signal);
  const call = podCall("get", namespace, deadline.signal, pod);
  try {
    const stream = await http.stream({
      ...call,
      resource: "pods/log",
      path: `${call.path}/log`,
      method: "GET",
      // One more than is kept tells whether there were more.
      query: { container, timestamps: true, tailLines: MAX_LINES + 1 },
    });
    const cut = () => void stream.close();
    deadline.signal.addEventListener("abort", cut, { once: true });
    try {
      const tail = createTail(options.clock.now);
      const splitter = createLineSplitter();
      let bytes = 0;
      for await (const chunk of stream.body) {
        bytes += (chunk as Buffer).length;
        splitter.push(chunk as Buffer).forEach(tail.add);
      }
      // The last line may have no newline.
      if (splitter.pending() > 0) splitter.push(Buffer.from("\n")).forEach(tail.add);
      return { log: tail.end(), bytes };
    } finally {
      deadline.signal.removeEventListener("abort", cut);
      await stream.close();
    }
  } catch (error) {
    const action = `get pods/log in namespace "${namespace}"`;
    throw errorOfTransport(error, { action, mutates: false, expired: deadline.expired() });
  } finally {
    deadline.end();
  }
}

/** Keeps the last lines within the limits. */
function createTail(now: () => Date) {
  let lines: PodLogLine[] = [];
  let characters = 0;
  let shortened = false;
  const dropFirst = () => {
    let drop = 0;
    while (lines.length - drop > MAX_LINES || characters > MAX_CHARACTERS) {
      characters -= lines[drop]?.event.length ?? 0;
      drop += 1;
    }
    if (drop === 0) return;
    lines = lines.slice(drop);
    shortened = true;
  };
  return {
    add: (text: string) => {
      const line = readLine(text, lines.at(-1)?.timestamp ?? null) ?? { timestamp: now().toISOString(), event: text };
      if (line.event.length > MAX_LINE_CHARACTERS) {
        line.event = `${line.event.slice(0, MAX_LINE_CHARACTERS)}…`;
        shortened = true;
      }
      lines.push(line);
      characters += line.event.length;
      // In batches, so that each line is moved a few times at most.
      if (lines.length > 2 * MAX_LINES || characters > 2 * MAX_CHARACTERS) dropFirst();
    },
    end: (): PodLog => {
      dropFirst();
      return { lines, shortened };
    },
  };
}

/** "2026-01-01T00:00:00.123456789Z text": the kubelet puts the time before each line. */
function readLine(text: string, before: string | null): PodLogLine | null {
  const space = text.indexOf(" ");
  const timestamp = space === -1 ? text : text.slice(0, space);
  const event = space === -1 ? "" : text.slice(space + 1);
  // Without a time, it is a message of the kubelet's own.
  if (parseLogTime(timestamp) === null) return before === null ? null : { timestamp: before, event: text };
  return { timestamp, event: event.replace(/\r$/, "") };
}
