// Every statement of the store, out of its sources: it prepares on the schema of this release, its name is its own, and the
// ones that loops repeat find their rows by an index, whatever history lies beside them.

import { readdirSync, readFileSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";

const STORE = new URL("../../src/store/", import.meta.url);
const LITERAL = "`[^`]*`|\"[^\"\\n]*\"|'[^'\\n]*'";
const COMMENTS = "(?://[^\\n]*\\s*)*";
/** Postgres prepares no others. */
const PREPARABLE = /^\s*(?:select|insert|update|delete|with)\b/;

interface Found {
  file: string;
  name: string | null;
  text: string;
}

const sources = readdirSync(STORE)
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
  .map((file) => ({ file, source: readFileSync(new URL(file, STORE), "utf8") }));

function readConstants(source: string, declaration: string): Map<string, string> {
  const found = source.matchAll(new RegExp(`^${declaration} (\\w+) =\\s*(${LITERAL}|\\d+);`, "gm"));
  return new Map([...found].map(([, name = "", literal = ""]) => [name, literal.replace(/^["'`]|["'`]$/g, "")]));
}

const imported = new Map(sources.flatMap(({ source }) => [...readConstants(source, "export const")]));

function fill(text: string, own: Map<string, string>): string {
  const filled = text.replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => own.get(name) ?? imported.get(name) ?? whole);
  return filled === text ? text : fill(filled, own);
}

const statements = sources.flatMap(({ file, source }): Found[] => {
  const own = readConstants(source, "(?:export )?const");
  const found = source.matchAll(
    new RegExp(`(?:name: "(\\w+)",\\s*${COMMENTS})?\\btext:\\s*${COMMENTS}(${LITERAL})`, "g"),
  );
  return [...found].map(([, name = null, literal = ""]) => ({ file, name, text: fill(literal.slice(1, -1), own) }));
});
// Lists for people are put together at run time; the tests of their routes run them.
const complete = statements.filter(({ file }) => file !== "read-page.ts");

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

describe("the statements of the store", () => {
  it("are all found", () => {
    // Whatever stands behind "text:" but a type, and what a migration's file holds.
    const texts = sources.flatMap(({ source }) => source.match(/\btext:(?! string;| sql )/g) ?? []);
    expect(statements.length).toBe(texts.length);
    const names = sources.flatMap(({ source }) =>
      [...source.matchAll(/\bname: "(\w+)"/g)].map(([, name = ""]) => name),
    );
    expect(statements.flatMap(({ name }) => name ?? []).toSorted()).toEqual(names.toSorted());
    expect(complete.length).toBeGreaterThan(80);
  });

  it("have names of their own", () => {
    const texts = new Map<string, Set<string>>();
    for (const { name, text } of statements) {
      if (name !== null) texts.set(name, (texts.get(name) ?? new Set()).add(text));
    }
    expect([...texts].filter(([, known]) => known.size > 1).map(([name]) => name)).toEqual([]);
  });

  it.each(complete.filter(({ text }) => PREPARABLE.test(text)).map((found, index) => ({ ...found, index })))(
    "prepare: $file $name",
    async ({ text, index }) => {
      const { command } = await client.query(`prepare statement_${index} as ${text}`);
      expect(command).toBe("PREPARE");
    },
  );
});

describe("what loops repeat", () => {
  it.each([
    "claim_attempts",
    "next_launch",
    "list_expected",
    "claim_remains",
    "open_attempts",
    "lock_open_attempts",
    "lock_run_to_advance",
    "lock_run_to_restart",
    "claim_stops",
    "count_finished",
    "start_queued_runs",
    "next_queued_run",
    "return_due_retries",
    "next_retry",
    "queue_candidates",
    "waiting_lanes",
    "waiting_clusters",
    "first_lanes",
    "more_lanes",
    "put_heads_right",
    "open_keys",
    "close_keys",
    "take_queue_changes",
    "grow_usage",
    "queue_occupants",
    "recount_usage",
    "queue_pools",
    "to_admit",
    "release_from_past",
    "past_blockers",
    "due_dags",
    "claim_expired_pods",
    "next_expiry",
    "claim_waiting",
    "claim_logs",
    "next_log",
    "next_due",
    "overdue_runs",
    "next_run_timeout",
    "pause_after_failures",
    "open_backfills",
    "pending_backfill_dates",
    "lock_runs_of_dates",
    "claim_stale_times",
    "claim_waits",
    "next_wait",
    "claim_callbacks",
    "next_callback",
    "read_decisions",
    "lock_asset_dags",
    "asset_consumers",
    "consume_asset_events",
    "record_asset_events",
    "read_consumed_events",
  ])("%s reads no whole table of history", async (name) => {
    const text = statements.find((statement) => statement.name === name)?.text;
    await client.query("set enable_seqscan = off");
    const { rows } = await client.query<{ "QUERY PLAN": string }>(`explain (generic_plan) ${text}`);
    const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
    // Forbidden as they are, they are chosen only where nothing else can be.
    expect(plan).not.toMatch(
      /Seq Scan on (?:attempt|task_instance|dag_run|queue_lane|kept_pod|container_log|asset_event|asset_pending|dag_run_asset_event)\b/,
    );
    // For each row again: the square of a backlog.
    expect(plan).not.toMatch(/SubPlan/);
  });
});
