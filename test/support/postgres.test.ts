import { afterAll, beforeAll, describe, expect, it } from "vitest";
import pg from "pg";
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from "./postgres.ts";

async function readTables(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public' order by 1",
  );
  await client.end();
  return rows.map((row) => row.name);
}

describe("test databases", () => {
  const made: TestDatabase[] = [];
  beforeAll(async () => {
    made.push(...(await Promise.all([createTestDatabase(), createTestDatabase(), createEmptyDatabase()])));
  });
  afterAll(async () => {
    await Promise.all(made.map((database) => database.drop()));
  });

  it("hold the migrated schema, one clone each", async () => {
    const [first, second, empty] = made;
    if (!first || !second || !empty) throw new Error("three databases were asked for");
    expect(first.url).not.toBe(second.url);
    expect(await readTables(first.url)).toContain("task_instance");
    expect(await readTables(second.url)).toEqual(await readTables(first.url));
    expect(await readTables(empty.url)).toEqual([]);
  });

  it("are dropped while somebody is connected", async () => {
    const database = await createTestDatabase();
    const client = new pg.Client({ connectionString: database.url });
    client.on("error", () => {});
    await client.connect();
    await database.drop();
    await expect(client.query("select 1")).rejects.toThrow(/terminat|not queryable/);
  });
});
