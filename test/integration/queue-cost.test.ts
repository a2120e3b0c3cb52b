// Four times as many lanes do not make a pass of the queue cost four times as much, whatever they wait for.

import { expect, it } from "vitest";
import { measureQueue, QUEUE_SHAPES } from "../support/measure-queue.ts";
import { createTestDatabase } from "../support/postgres.ts";

/** Pages for each lane more. What a limit of many lanes closes is passed by in the index: one page for each, and no probe. */
const PER_LANE: Record<string, number> = {
  "a full run": 1.8,
  "a run with one slot free": 1.8,
  "a full pool": 1.8,
  "a pool with one slot free": 1.8,
  "one run each, one key for all": 1.8,
};

it.each(QUEUE_SHAPES)(
  "$name",
  async (shape) => {
    const measure = async (lanes: number) => {
      const database = await createTestDatabase();
      try {
        return await measureQueue(database, shape, lanes, 3);
      } finally {
        await database.drop();
      }
    };
    const less = await measure(100);
    const more = await measure(400);
    expect((more.pages - less.pages) / 300).toBeLessThan(PER_LANE[shape.name] ?? 0.5);
  },
  60_000,
);
