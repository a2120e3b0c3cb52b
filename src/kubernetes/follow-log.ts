// A container's log piece by piece while it runs: each piece is a call of its own from where the last one ended. Nothing is
// held open, so that a rotated log, an idle one or a node that hangs costs one call and not the rest of the log.

import { beginReading, type LogPosition, parseLogTime } from "../core/log-position.ts";
import type { KubernetesHttp } from "./http.ts";
import type { PodLogLine } from "./pod-log.ts";
import { podCall } from "./pods.ts";
import { readWhole } from "./read-whole.ts";

export interface PodLogPart {
  lines: PodLogLine[];
  position: LogPosition;
  /** There was more than one piece holds. */
  more: boolean;
}

export interface FollowLogOptions {
  http: KubernetesHttp;
  namespace: string;
  pod: string;
  container: string;
  from: LogPosition;
  /** The container has ended: a last line without a newline is whole. */
  ended: boolean;
  signal: AbortSignal;
}

const DEADLINE_MS = 10_000;
const PIECE_BYTES = 1_048_576;
// What comes again is at most the last two seconds: more than this in two seconds is read when the container has ended.
const LARGEST_PIECE_BYTES = 16 * PIECE_BYTES;
const MAX_LINE_CHARACTERS = 16_384;

/** Throws a KubernetesError. */
export async function followPodLog(options: FollowLogOptions): Promise<PodLogPart> {
  const { from, ended } = options;
  for (let bytes = PIECE_BYTES; ; bytes *= 4) {
    const read = () => readPiece(options, bytes);
    // Of one that runs, what was missing comes with the next piece.
    const text = ended ? await readWhole(read, ({ length }) => length) : await read();
    const cut = Buffer.byteLength(text) >= bytes;
    const part = readLines(text, from, ended && !cut);
    // All of it was known: a larger piece has something new in it.
    if (cut && part.lines.length === 0 && bytes < LARGEST_PIECE_BYTES) continue;
    return { ...part, more: cut && part.lines.length > 0 };
  }
}

async function readPiece(options: FollowLogOptions, bytes: number): Promise<string> {
  const { http, namespace, pod, container, from } = options;
  const call = podCall("get", namespace, options.signal, pod);
  const since = from.since === null ? {} : { sinceTime: new Date(from.since * 1_000).toISOString() };
  return http.text({
    ...call,
    resource: "pods/log",
    path: `${call.path}/log`,
    method: "GET",
    deadlineMs: DEADLINE_MS,
    query: { container, timestamps: true, limitBytes: bytes, ...since },
  });
}

function readLines(text: string, from: LogPosition, whole: boolean): Omit<PodLogPart, "more"> {
  const reading = beginReading(from);
  const lines: PodLogLine[] = [];
  const texts = text.split("\n");
  // What stands behind the last newline is a line that is still being written.
  const rest = texts.pop();
  if (whole && rest) texts.push(rest);
  for (const line of texts) {
    const space = line.indexOf(" ");
    const timestamp = space === -1 ? line : line.slice(0, space);
    const time = parseLogTime(timestamp);
    // Without a time it is a message of the kubelet's own, which comes again with each piece.
    if (time === null || !reading.take(time)) continue;
    const event = space === -1 ? "" : line.slice(space + 1).replace(/\r$/, "");
    lines.push({
      timestamp,
      event: event.length > MAX_LINE_CHARACTERS ? `${event.slice(0, MAX_LINE_CHARACTERS)}…` : event,
    });
  }
  return { lines, position: reading.position() };
}
