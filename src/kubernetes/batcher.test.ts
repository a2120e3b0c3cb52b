import { expect, test } from "vitest";
import { systemClock } from "../lifecycle/clock.ts";
import { createBatcher } from "./batcher.ts";

function make(more: { flush?: (items: number[]) => Promise<void>; maxDelayMs?: number } = {}) {
  const batches: number[][] = [];
  let failures = 0;
  const batcher = createBatcher<number>({
    maxItems: 3,
    maxDelayMs: more.maxDelayMs ?? 60_000,
    maxQueued: 5,
    clock: systemClock,
    onFailure: () => (failures += 1),
    flush: async (items) => {
      await more.flush?.(items);
      batches.push(items);
    },
  });
  return { batcher, batches, failures: () => failures };
}

test("hands over full batches at once and the rest when drained, in order", async () => {
  const { batcher, batches } = make();
  await batcher.add([1, 2]);
  await batcher.add([3, 4]);
  await batcher.drain();
  expect(batches).toEqual([[1, 2, 3], [4]]);
  await batcher.add([]);
  await batcher.drain();
  expect(batches).toEqual([[1, 2, 3], [4]]);
});

test("a batch that is not full goes when its time has come", async () => {
  let flushed: (items: number[]) => void = () => {};
  const done = new Promise<number[]>((resolve) => (flushed = resolve));
  const { batcher } = make({ maxDelayMs: 5, flush: async (items) => flushed(items) });
  await batcher.add([1]);
  expect(await done).toEqual([1]);
});

test("holds its caller back while too many wait", async () => {
  let open = () => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  const { batcher, batches } = make({ flush: () => gate });
  let admitted = false;
  const adding = batcher.add([1, 2, 3, 4, 5, 6, 7, 8, 9]).then(() => (admitted = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(admitted).toBe(false);
  open();
  await adding;
  await batcher.drain();
  expect(batches.flat()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("the first failure ends it, once, for everyone", async () => {
  const { batcher, batches, failures } = make({
    flush: async () => {
      throw new Error("no");
    },
  });
  await batcher.add([1, 2, 3]).catch(() => {});
  await expect(batcher.drain()).rejects.toThrow("no");
  await expect(batcher.add([4])).rejects.toThrow("no");
  expect(batches).toEqual([]);
  expect(failures()).toBe(1);
});
