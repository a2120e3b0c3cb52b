// An API server that fails every call for minutes, in each of the ways it can, or has nothing to say for an hour: the executor
// asks on, slowly, and loses nothing. Side by side, because all that they do is wait.

import type { ServerResponse } from "node:http";
import { test } from "vitest";
import { createKubernetesHttp } from "../../src/kubernetes/http.ts";
import { type ReflectorSink, runReflector } from "../../src/kubernetes/reflector.ts";
import { makeOrder, quiet, terminated } from "../support/api-server.ts";
import { startFakeApiServer } from "../support/fake-api-server.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { openFakeRig } from "../support/fake-executor.ts";

const OUTAGE_MS = 300_000;
// A call's 20 seconds are half a second of a busy machine.
const SPEED = 40;
const SOON = { timeout: 15_000 };

const FAULTS: Record<string, (response: ServerResponse) => void> = {
  "with 500": (response) => void response.writeHead(500).end("<html>oops</html>"),
  "with 503 and Retry-After": (response) => void response.writeHead(503, { "retry-after": "5" }).end(),
  "by breaking the connection": (response) => void response.socket?.resetAndDestroy(),
  "by not answering": () => {},
};

test.concurrent.for(Object.keys(FAULTS))(
  "five minutes of calls that fail %s lose nothing",
  { timeout: 60_000 },
  async (fault, { expect }) => {
    const clock = createFastClock(SPEED);
    const rig = await openFakeRig(clock);
    try {
      const executor = rig.makeExecutor();
      await executor.start();
      await expect.poll(() => rig.server.levers.open.size, SOON).toBeGreaterThan(0);
      const pod = await rig.launch(executor);
      rig.server.intercept = (_, response) => {
        FAULTS[fault]?.(response);
        return "answered";
      };
      for (const response of rig.server.levers.open) response.socket?.resetAndDestroy();
      const asked = rig.server.requests.length;
      const order = makeOrder("default");
      const over = clock.sleep(OUTAGE_MS);
      expect(await executor.launch(order)).toMatchObject({ kind: "retry" });
      await expect(executor.remove(pod)).rejects.toThrow("cannot delete pods");
      await over;
      // The watch, one launch and one removal: each asks a few times a minute.
      expect(rig.server.requests.length - asked).toBeLessThan(60);
      expect(rig.ledger.observations.filter((each) => each.outcome !== null || each.gone)).toEqual([]);
      rig.server.intercept = () => "pass";
      await rig.setStatus(pod.pod_name, terminated(0));
      await rig.ledger.wait("its end", (each) => each.pod_uid === pod.pod_uid && each.outcome !== null);
      await expect.poll(async () => (await executor.launch(order)).kind, SOON).toBe("launched");
    } finally {
      await rig.close();
    }
  },
);

// An hour is as long as the outages above.
const HOUR_MS = 3_600_000;
const HOUR_SPEED = 480;

test.concurrent("an hour of bookmarks alone, or of none, is lived through, and what comes then is heard", async ({
  expect,
}) => {
  const live = async (bookmarkMs: number) => {
    const clock = createFastClock(HOUR_SPEED);
    const server = await startFakeApiServer(clock);
    server.levers.bookmarkMs = bookmarkMs;
    const credentials = { server: server.url, tls: {}, headers: {} };
    const http = createKubernetesHttp({
      credentials: { current: async () => credentials, renew: async () => credentials },
      clock,
      maxConnections: 4,
    });
    const seen: string[] = [];
    const sink: ReflectorSink = {
      applyList: async (pages) => {
        let version = "";
        for await (const page of pages) version = page.resource_version;
        return version;
      },
      applyChanges: async (changes) => void seen.push(...changes.map(({ pod }) => pod.name)),
    };
    const stop = new AbortController();
    const options = { http, clock, log: quiet, namespace: "default", selector: "", sink, resumeFrom: null };
    const reflecting = runReflector(options, stop.signal);
    const make = (name: string) =>
      server.objects.create({ resource: "pods", namespace: "default", name }, { spec: { containers: [{}] } });
    await expect.poll(() => server.levers.open.size, SOON).toBeGreaterThan(0);
    make("before");
    await clock.sleep(HOUR_MS);
    make("after");
    await expect.poll(() => seen, SOON).toContain("after");
    // A list every ten minutes; watches end at their own time, or after 150 seconds of silence.
    expect(server.requests.length / 60).toBeLessThan(3);
    stop.abort();
    await reflecting;
    await http.close();
    await server.close();
  };
  await Promise.all([live(60_000), live(HOUR_MS * 10)]);
}, 60_000);
