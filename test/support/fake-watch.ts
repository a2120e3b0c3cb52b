// Watches of the fake API server: every change after a version, in its order; bookmarks each minute and shortly before the
// server ends the watch; 410 for a version that is out of the history, in either of its forms.

import type { ServerResponse } from "node:http";
import type { JsonObject } from "../../src/core/json.ts";
import type { Clock } from "../../src/lifecycle/clock.ts";
import type { Change, FakeObjects, FakeStatus, Place } from "./fake-objects.ts";
import { selectionOf } from "./fake-selection.ts";

export interface WatchLevers {
  /** How a watch is told that its version is forgotten. */
  expiredAs: "event" | "answer";
  /** Watches are accepted, and say nothing. */
  silent: boolean;
  bookmarkMs: number;
  /** The watches that are open. */
  open: Set<ServerResponse>;
}

export interface WatchContext {
  objects: FakeObjects;
  clock: Clock;
  levers: WatchLevers;
}

const LAST_BOOKMARK_MS = 2_000;

export async function serveWatch(
  { objects, clock, levers }: WatchContext,
  place: Place,
  query: URLSearchParams,
  response: ServerResponse,
  send: (status: FakeStatus) => void,
): Promise<void> {
  const asked = query.get("resourceVersion") ?? "";
  let version = Number(asked);
  if (!Number.isSafeInteger(version) || version <= 0) {
    return send({ code: 500, reason: "", message: `resourceVersion: Invalid value: "${asked}"` });
  }
  const expired = { code: 410, reason: "Expired", message: `too old resource version: ${asked} (${objects.oldest()})` };
  const forgotten = version < objects.oldest();
  if (forgotten && levers.expiredAs === "answer") return send(expired);

  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  const write = (type: string, object: object) => {
    if (!levers.silent) response.write(`${JSON.stringify({ type, object })}\n`);
  };
  if (forgotten) {
    write("ERROR", { kind: "Status", apiVersion: "v1", status: "Failure", ...expired });
    response.end();
    return;
  }
  const selects = selectionOf(query);
  const tell = () => {
    for (const change of objects.since(version)) {
      version = change.version;
      if (change.place.resource !== place.resource || change.place.namespace !== place.namespace) continue;
      const event = eventOf(change, selects);
      if (event !== null) write(event.type, event.object);
    }
  };
  // A watch since whose beginning nothing has happened has no bookmark either.
  const beganWith = objects.version();
  const bookmark = () => {
    tell();
    const metadata = { resourceVersion: String(objects.version()) };
    if (objects.version() > beganWith && query.get("allowWatchBookmarks") === "true")
      write("BOOKMARK", { kind: "Pod", apiVersion: "v1", metadata });
  };
  const over = new AbortController();
  response.on("close", () => over.abort());
  levers.open.add(response);
  const forget = objects.onChange(tell);
  tell();

  const endsAt = clock.monotonic() + Number(query.get("timeoutSeconds") ?? 1_800) * 1_000;
  while (!over.signal.aborted) {
    const left = endsAt - clock.monotonic();
    if (left <= 0) break;
    const untilLast = left > LAST_BOOKMARK_MS ? left - LAST_BOOKMARK_MS : left;
    await clock.sleep(Math.min(untilLast, levers.bookmarkMs), over.signal);
    if (!over.signal.aborted && endsAt - clock.monotonic() > 0) bookmark();
  }
  forget();
  levers.open.delete(response);
  response.end();
}

/** An object that comes to fit the selector is added, one that no longer does is deleted. */
function eventOf({ before, after, version }: Change, selects: (object: JsonObject) => boolean) {
  const was = before !== null && selects(before);
  if (after !== null && selects(after)) return { type: was ? "MODIFIED" : "ADDED", object: after };
  if (!was) return null;
  const metadata = { ...(before["metadata"] as JsonObject), resourceVersion: String(version) };
  return { type: "DELETED", object: { ...before, metadata } };
}
