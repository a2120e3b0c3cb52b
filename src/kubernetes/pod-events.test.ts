import { afterEach, expect, test } from "vitest";
import { answer, type ScriptedApiServer, startScriptedApiServer } from "../../test/support/scripted-api-server.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { createKubernetesHttp, type KubernetesHttp } from "./http.ts";
import { readPodEvents } from "./pod-events.ts";

let server: ScriptedApiServer;
let http: KubernetesHttp;
afterEach(async () => {
  await http.close();
  await server.close();
});

/** The last event of those with these reasons and messages, a second after each other. */
async function lastOf(...events: [reason: string, message: string][]): Promise<string | null> {
  return lastItem(
    ...events.map(([reason, message], second) => ({ reason, message, lastTimestamp: `2026-01-01T00:00:0${second}Z` })),
  );
}

async function lastItem(...items: object[]): Promise<string | null> {
  server = await startScriptedApiServer({ lists: [answer(200, { items })] });
  const credentials = { server: server.url, headers: {}, tls: {} };
  http = createKubernetesHttp({
    credentials: { current: async () => credentials, renew: async () => credentials },
    clock: systemClock,
    maxConnections: 1,
  });
  const pod = { namespace: "etl", name: "load-1", uid: "u" };
  return (await readPodEvents(http, pod, "base", new AbortController().signal)).last?.text ?? null;
}

const FAILED: [string, string] = ["Failed", 'Failed to pull image "x:1": rpc error: code = NotFound desc = not found'];

test.each<[string, [string, string][], string | null]>([
  ["is the newest", [FAILED, ["FailedMount", "no secret"]], "FailedMount: no secret"],
  [
    "is the one with the cause, when those after it only say that it has not changed",
    [
      ["Pulling", "Pulling image"],
      FAILED,
      ["Failed", "Error: ErrImagePull"],
      ["BackOff", 'Back-off pulling image "x:1"'],
      ["Failed", "Error: ImagePullBackOff"],
    ],
    FAILED.join(": "),
  ],
  [
    "is the newest where a repetition has the cause in it",
    [FAILED, ["BackOff", 'Back-off pulling image "x:1": ErrImagePull: unauthorized']],
    'BackOff: Back-off pulling image "x:1": ErrImagePull: unauthorized',
  ],
  [
    "is the repetition when there is no other",
    [["Failed", "Error: ImagePullBackOff"]],
    "Failed: Error: ImagePullBackOff",
  ],
  ["is none", [], null],
])("the last event %s", async (_, events, last) => {
  expect(await lastOf(...events)).toBe(last);
});

test("of one second, the last event is the one that was written last: the scheduler's times alone are finer than seconds", async () => {
  const last = await lastItem(
    { reason: "Scheduled", message: "assigned to node0", eventTime: "2026-01-01T00:00:05.912345Z" },
    { reason: "Failed", message: "Failed to pull image", lastTimestamp: "2026-01-01T00:00:05Z" },
  );
  expect(last).toBe("Failed: Failed to pull image");
});
