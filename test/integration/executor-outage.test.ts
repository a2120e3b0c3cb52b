// An API server that fails every call for minutes, in each of the ways it can, or has nothing to say for an hour: the executor
// asks on, slowly, and loses nothing. Side by side, because all that they do is wait.

import type { ServerResponse } from "node:http";
import { test } from "vitest";
import { makeOrder, terminated } from "../support/api-server.ts";
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
    const rig = await openFakeRig(clock);
    try {
      rig.server.levers.bookmarkMs = bookmarkMs;
      const executor = rig.makeExecutor();
      await executor.start();
      await expect.poll(() => rig.server.levers.open.size, SOON).toBeGreaterThan(0);
      const pod = await rig.launch(executor);
      await clock.sleep(HOUR_MS);
      await rig.setStatus(pod.pod_name, terminated(0));
      await rig.ledger.wait("its end", (each) => each.pod_uid === pod.pod_uid && each.outcome !== null);
      const { list = 0, watch = 0 } = rig.server.counts();
      // A list every ten minutes; watches end at their own time, or after 150 seconds of silence. A busy machine adds some.
      expect(list).toBeLessThan(15);
      expect(watch).toBeLessThan(80);
      expect(rig.ledger.observations.filter((each) => each.gone)).toEqual([]);
    } finally {
      await rig.close();
    }
  };
  await Promise.all([live(60_000), live(HOUR_MS * 10)]);
}, 60_000);
