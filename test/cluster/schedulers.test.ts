// Schedulers that are stopped, killed and replaced at the worst moments, on a real API server with a simulated node (see
// test/soak): whoever carries on, no pod is ended or made twice, and no try is spent.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkOutcome } from "../soak/checks.ts";
import { drain, triggerOnce } from "../soak/drive.ts";
import type { Member } from "../soak/member.ts";
import { createRandom } from "../soak/random.ts";
import { type Rig, startRig } from "../soak/rig.ts";
import { readState } from "../soak/state.ts";
import type { DagId, PlannedRun } from "../soak/workload.ts";
import { ownsCluster } from "./support/harness.ts";
import { pollUntil } from "./support/poll.ts";

const LEASE_MS = 15_000;

let rig: Rig;
const plan: PlannedRun[] = [];

async function begin(dag_id: DagId, count: number, long_ms = 0): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const conf = { url: rig.ledger.url, ms: 100, ...(dag_id === "soak_long" ? { long_ms } : {}) };
    const run = { dag_id, run_id: `run_${plan.length + 1}`, conf, attempts: 0 };
    if (!(await triggerOnce(rig.rest, run))) throw new Error(`${run.run_id} could not be triggered`);
    plan.push(run);
  }
}

const waitForRunning = (count: number) =>
  pollUntil(
    async () => rig.kubelet.running().length,
    (running) => running >= count,
    (running) => `${running} containers run, not ${count}`,
    60_000,
  );

/** Nothing lost, repeated or spent; no container was told to end, and no name had two pods. */
async function expectNoTrace(): Promise<void> {
  expect(await drain(rig)).toEqual([]);
  const state = await readState(rig.database.url());
  expect(checkOutcome(plan, state, rig.ledger.entries())).toEqual([]);
  expect(state.instances.reduce((sum, one) => sum + one.infrastructure_failures, 0)).toBe(0);
  expect(rig.kubelet.terminated()).toEqual([]);
  expect(rig.kubelet.namesUsedTwice()).toEqual([]);
}

interface WatchLease {
  holder: string;
  token: string;
}

async function readLease(): Promise<WatchLease> {
  const client = new pg.Client({ connectionString: rig.database.url() });
  await client.connect();
  try {
    const { rows } = await client.query<WatchLease>(
      "select holder, token::text from lease where name like 'kubernetes-pods/%' and expires_at > clock_timestamp()",
    );
    return rows[0] ?? { holder: "nobody", token: "0" };
  } finally {
    await client.end();
  }
}

const readLog = ({ name }: Member) => readFile(join(rig.folder, "log", `${name}.log`), "utf8");

/** The scheduler that holds the watch's lease, by its newest line about it. */
async function findWatcher(): Promise<Member> {
  await pollUntil(
    readLease,
    ({ holder }) => holder !== "nobody",
    () => "nobody holds the watch's lease",
    60_000,
  );
  const logs = await Promise.all(
    rig.installation.schedulers.map(async (member) => {
      const times = (await readLog(member)).split("\n").filter((line) => line.includes('"msg":"watching pods"'));
      return { member, at: /"time":"([^"]+)"/.exec(times.at(-1) ?? "")?.[1] ?? "" };
    }),
  );
  const [newest] = logs.toSorted((a, b) => (a.at < b.at ? 1 : -1));
  if (!newest) throw new Error("there are schedulers");
  return newest.member;
}

describe.skipIf(!ownsCluster)("schedulers", { timeout: 300_000 }, () => {
  beforeAll(async () => {
    rig = await startRig(createRandom("schedulers"));
  });
  afterAll(() => rig?.stop());

  it("roll under running tasks without one SIGTERM to a pod", async () => {
    await begin("soak_long", 6, 15_000);
    await waitForRunning(12);
    for (const scheduler of rig.installation.schedulers) {
      await scheduler.roll();
      await scheduler.waitUntilReady();
    }
    await expectNoTrace();
  });

  it("adopt what the killed ones left: of two, one wins", async () => {
    const { token } = await readLease();
    await begin("soak_long", 3, 15_000);
    await waitForRunning(6);
    await Promise.all(rig.installation.schedulers.map((one) => one.kill(0)));
    await begin("soak_chain", 2);
    await expectNoTrace();
    const after = await readLease();
    expect(Number(after.token)).toBeGreaterThan(Number(token));
  });

  it("are killed between the creation of a pod and the row that says so, and make no second one", async () => {
    const ways = [...rig.installation.proxies].filter(([name]) => name.endsWith("to kube-apiserver"));
    for (let round = 1; round <= 3; round += 1) {
      for (const [, proxy] of ways) proxy.slow(400);
      const seen = rig.kubelet.nextPod();
      await begin("soak_chain", 1);
      // The pod is there, and the answer that says so is still on its way.
      await seen;
      await Promise.all(rig.installation.schedulers.map((one) => one.kill(0)));
      for (const [, proxy] of ways) proxy.slow(0);
      await Promise.all(rig.installation.schedulers.map((one) => one.waitUntilReady()));
    }
    await expectNoTrace();
  });

  it("lose the lease when they stand still for longer, and are refused when they go on", async () => {
    const victim = await findWatcher();
    const before = await readLease();
    await begin("soak_long", 3, 10_000);
    await waitForRunning(6);
    victim.signal("SIGSTOP");
    // The lease's length is the subject: nothing else can take it before.
    await sleep(LEASE_MS);
    const after = await pollUntil(
      readLease,
      ({ holder }) => holder !== before.holder && holder !== "nobody",
      ({ holder }) => `the lease is held by ${holder}`,
      30_000,
    );
    expect(Number(after.token)).toBeGreaterThan(Number(before.token));
    await begin("soak_fan", 1);
    // The other one does it all, while the first stands still.
    expect(await drain(rig)).toEqual([]);
    victim.signal("SIGCONT");
    await pollUntil(
      () => readLog(victim),
      (log) => log.slice(log.lastIndexOf('"msg":"watching pods"')).includes("lease"),
      () => "the one that stood still does not say that its lease is lost",
      60_000,
    );
    await begin("soak_chain", 2);
    await expectNoTrace();
  });
});
