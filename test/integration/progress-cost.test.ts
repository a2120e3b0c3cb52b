// A run of four times as many instances touches about four times as many pages: a small `make bench`.

import { expect, it } from "vitest";
import { measureRun, SHAPES } from "../support/measure-progress.ts";
import { createTestDatabase } from "../support/postgres.ts";

it.each(SHAPES)(
  "progress costs what changes, for a $name",
  async (shape) => {
    const measure = async (instances: number) => {
      const database = await createTestDatabase();
      try {
        return await measureRun(database, shape, instances);
      } finally {
        await database.drop();
      }
    };
    const less = await measure(60);
    const more = await measure(240);
    expect(more.pages / more.instances).toBeLessThan((less.pages / less.instances) * 1.3);
  },
  60_000,
);
