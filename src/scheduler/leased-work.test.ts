import { beforeEach, expect, it } from "vitest";
import type { Clock } from "../lifecycle/clock.ts";
import { createLogger } from "../lifecycle/log.ts";
import { createLeasedWork, type Hold, type LeasedWork } from "./leased-work.ts";

const LEASE_MS = 15_000;

interface Row {
  id: string;
  claims: number;
  until: number;
  done: string | null;
}

let time: number;
let sleepers: Set<{ at: number; wake: () => void }>;
let rows: Row[];
let away: boolean;
beforeEach(() => {
  time = 1_000_000;
  sleepers = new Set();
  rows = ["a", "b", "c"].map((id) => ({ id, claims: 0, until: 0, done: null }));
  away = false;
});

const clock: Clock = {
  now: () => new Date(time),
  monotonic: () => time,
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const sleeper = { at: time + ms, wake: resolve };
      sleepers.add(sleeper);
      signal?.addEventListener("abort", () => resolve(), { once: true });
    }),
};
/** All that follows from a moment has happened before the next. */
async function pass(ms: number) {
  time += ms;
  for (const sleeper of sleepers) if (sleeper.at <= time) sleeper.wake();
  await new Promise((resolve) => setImmediate(resolve));
}

/** A scheduler whose work ends when it is told to. */
function schedulerOf(name: string) {
  const underWay = new Map<string, Hold & { end: (result: string | null) => void }>();
  const ask = () => {
    if (away) throw new Error("the table is away");
  };
  const holds = ({ id, claims }: Row) =>
    rows.find((row) => row.id === id && row.claims === claims && row.done === null);
  const leased: LeasedWork = createLeasedWork<Row, { row: Row; result: string }>(
    { clock, log: createLogger("silent") },
    {
      name,
      mostAtOnce: () => 2,
      leaseMs: LEASE_MS,
      keyOf: ({ id, claims }) => `${id} ${claims}`,
      claim: async (limit, now) => {
        ask();
        const due = rows.filter(({ until, done }) => done === null && until <= now.getTime()).slice(0, limit);
        for (const row of due) Object.assign(row, { claims: row.claims + 1, until: now.getTime() + LEASE_MS });
        return due.map((row) => ({ ...row }));
      },
      extend: async (items, until) => {
        ask();
        const ours = items.filter(holds);
        for (const item of ours) Object.assign(holds(item) ?? {}, { until: until.getTime() });
        return ours.map(({ id, claims }) => `${id} ${claims}`);
      },
      work: async (row, hold) => {
        const result = await new Promise<string | null>((end) => underWay.set(row.id, { ...hold, end }));
        underWay.delete(row.id);
        return result === null ? null : { row, result };
      },
      record: async (done) => {
        ask();
        for (const { row, result } of done) Object.assign(holds(row) ?? {}, { done: result });
      },
      findNext: async () => null,
    },
    () => {},
  );
  return { ...leased, underWay, end: (id: string, result: string | null) => underWay.get(id)?.end(result) };
}

it("takes no more than it has places for, and what a pass writes down makes room for the next", async () => {
  const one = schedulerOf("one");
  expect(await one.runOnce()).toEqual({ counts: { claimed: 2, recorded: 0 }, dueInMs: LEASE_MS / 3 });
  expect((await one.runOnce()).counts).toEqual({ claimed: 0, recorded: 0 });
  one.end("a", "done");
  await pass(0);
  expect((await one.runOnce()).counts).toEqual({ claimed: 1, recorded: 1 });
  expect(rows.map(({ done }) => done)).toEqual(["done", null, null]);
  expect([...one.underWay.keys()]).toEqual(["b", "c"]);
});

it("that is told to stop and takes long is nobody else's until it has ended, and is written down", async () => {
  const [one, other] = [schedulerOf("one"), schedulerOf("other")];
  await one.runOnce();
  const drained = one.drain();
  expect([...one.underWay.values()].map(({ signal }) => signal.aborted)).toEqual([true, true]);
  for (let seconds = 0; seconds < 60; seconds += 5) {
    await pass(5_000);
    expect([...one.underWay.values()].map(({ lasts }) => lasts())).toEqual([true, true]);
  }
  expect((await other.runOnce()).counts["claimed"]).toBe(1);
  one.end("a", "done");
  one.end("b", null);
  await drained;
  expect(rows[0]).toMatchObject({ done: "done", claims: 1 });
  // What came to nothing is for others at once.
  expect((await other.runOnce()).counts["claimed"]).toBe(1);
  expect([...other.underWay.keys()]).toEqual(["c", "b"]);
});

it("of a process that was paused knows by the time alone that it may be another's, and is broken off once that is known", async () => {
  const [one, other] = [schedulerOf("one"), schedulerOf("other")];
  await one.runOnce();
  const [a] = one.underWay.values();
  if (!a) throw new Error("a is under way");
  await pass(LEASE_MS - 1);
  expect(a.lasts()).toBe(true);
  await pass(1);
  expect({ lasts: a.lasts(), aborted: a.signal.aborted }).toEqual({ lasts: false, aborted: false });
  await other.runOnce();
  one.end("b", "late");
  await pass(0);
  await one.runOnce();
  expect({ lasts: a.lasts(), aborted: a.signal.aborted }).toEqual({ lasts: false, aborted: true });
  expect(rows[1]).toMatchObject({ claims: 2, done: null });
});

it("that nobody has taken while the table was away goes on, and holds again", async () => {
  const [one, other] = [schedulerOf("one"), schedulerOf("other")];
  await one.runOnce();
  const [a] = one.underWay.values();
  away = true;
  await pass(LEASE_MS);
  await expect(one.runOnce()).rejects.toThrow("away");
  expect(a?.lasts()).toBe(false);
  away = false;
  await one.runOnce();
  expect({ lasts: a?.lasts(), aborted: a?.signal.aborted }).toEqual({ lasts: true, aborted: false });
  expect((await other.runOnce()).counts["claimed"]).toBe(1);
  expect(rows.map(({ claims }) => claims)).toEqual([1, 1, 1]);
});
