// What a create costs this process, from the order to the answer, beside what the bare request costs it.

import { afterAll, beforeAll, expect, test } from "vitest";
import { Pool } from "undici";
import { makeOrder } from "../support/api-server.ts";
import { writeFakeKubeconfig } from "../support/fake-api-server.ts";
import { type FakeRig, openFakeRig } from "../support/fake-executor.ts";
import { type LargeListServer, startLargeListServer } from "../support/large-list-server.ts";

const CREATES = 1_000;
const AT_ONCE = 25;

let server: LargeListServer;
let rig: FakeRig;
beforeAll(async () => {
  // In a thread of its own: what it costs is not counted.
  server = await startLargeListServer({ pods: 0, podBytes: 0 });
  rig = await openFakeRig();
});
afterAll(async () => {
  await rig?.close();
  await server?.close();
});

/** Microseconds of this thread's CPU time for each. */
async function measure(create: () => Promise<unknown>): Promise<number> {
  const round = async (count: number) => {
    for (let left = count; left > 0; left -= AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, create));
  };
  await round(CREATES / 2);
  const before = process.threadCpuUsage();
  await round(CREATES);
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / CREATES;
}

test("a create costs a few times what its request alone does", async () => {
  const executor = rig.makeExecutor({ cluster: { kubeconfigPath: await writeFakeKubeconfig(server) } });
  const launch = async () => {
    const result = await executor.launch(makeOrder("default"));
    if (result.kind !== "launched") throw new Error(JSON.stringify(result));
  };
  const pool = new Pool(server.url, { connections: AT_ONCE });
  const body = JSON.stringify({ metadata: { name: "p" }, spec: { text: "x".repeat(3_000) } });
  const bare = async () => {
    const answer = await pool.request({ method: "POST", path: "/api/v1/namespaces/default/pods", body });
    return answer.body.text();
  };
  const [request, create] = [await measure(bare), await measure(launch)];
  await pool.close();
  console.log(`a create: ${create.toFixed(0)} µs of CPU time, of which ${request.toFixed(0)} its request`);
  expect(create).toBeLessThan(6 * request);
});
