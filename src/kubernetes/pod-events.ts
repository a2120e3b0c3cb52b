// What the cluster has written about a pod: its events, of which the newest says most of one that waits or has failed.

import type { KubernetesHttp } from "./http.ts";
import { arrayAt, objectAt, textAt } from "./read-json.ts";

export interface PodEvents {
  /** The newest that says something new, in one sentence; null: there are none, or they have expired. */
  last: { at: string; text: string } | null;
  /** When the node had the image of the container. */
  image_pulled_at: string | null;
}

// An event is repeated by counting up, so a pod has few.
const MOST = 100;
const DEADLINE_MS = 10_000;
const LONGEST_TEXT = 500;

/** @param container whose image counts. Throws a KubernetesError. */
export async function readPodEvents(
  http: KubernetesHttp,
  pod: { namespace: string; name: string; uid: string },
  container: string,
  signal: AbortSignal,
): Promise<PodEvents> {
  const answer = await http.call({
    method: "GET",
    path: `/api/v1/namespaces/${encodeURIComponent(pod.namespace)}/events`,
    query: { fieldSelector: `involvedObject.name=${pod.name},involvedObject.uid=${pod.uid}`, limit: MOST },
    verb: "list",
    resource: "events",
    namespace: pod.namespace,
    deadlineMs: DEADLINE_MS,
    signal,
  });
  const events = arrayAt(answer, "items").flatMap((event) => {
    const at = timeOf(event);
    return at === null ? [] : [{ event, at }];
  });
  // The list is in the order of names, which end with the instant of the first writing: it decides within a second, because
  // only some writers' times are finer than that.
  const secondOf = (at: string) => Math.floor(Date.parse(at) / 1_000);
  events.sort((a, b) => secondOf(a.at) - secondOf(b.at));
  const newest = events.findLast(({ event }) => !isRepetition(event)) ?? events.at(-1);
  const pulled = events.find(
    ({ event }) =>
      textAt(event, "reason") === "Pulled" &&
      textAt(objectAt(event, "involvedObject"), "fieldPath") === `spec.containers{${container}}`,
  );
  return {
    last: newest === undefined ? null : { at: newest.at, text: describe(newest.event) },
    image_pulled_at: pulled?.at ?? null,
  };
}

/** It says that things are as an event before it said: up to Kubernetes 1.31, a failed pull's cause is in that one alone. */
function isRepetition(event: unknown): boolean {
  return /^(?:Error: \w+|Back-off pulling image "[^"]*")$/.test(textAt(event, "message") ?? "");
}

/** Which of the times an event has depends on who wrote it. */
function timeOf(event: unknown): string | null {
  const times = [
    textAt(objectAt(event, "series"), "lastObservedTime"),
    textAt(event, "lastTimestamp"),
    textAt(event, "eventTime"),
    textAt(event, "firstTimestamp"),
    textAt(objectAt(event, "metadata"), "creationTimestamp"),
  ];
  return times.find((time) => time !== null && !Number.isNaN(Date.parse(time))) ?? null;
}

function describe(event: unknown): string {
  const message = (textAt(event, "message") ?? "").trim().replace(/\s+/g, " ");
  const text = `${textAt(event, "reason") ?? "Event"}${message === "" ? "" : `: ${message}`}`;
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}
