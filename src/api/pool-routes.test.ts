import { afterAll, beforeAll, expect, test } from "vitest";
import { poolAnswer, poolsAnswer } from "../contract/rest-pools.ts";
import { problem } from "../contract/rest.ts";
import { type ApiFixture, openApiFixture } from "./api-fixture.ts";

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await openApiFixture();
});
afterAll(() => fixture.close());

const url = (name = "") => `/api/v2/pools${name === "" ? "" : `/${name}`}`;
const empty = { occupied_slots: 0, running_slots: 0, queued_slots: 0, scheduled_slots: 0, deferred_slots: 0 };

test("there is a default pool from the start", async () => {
  expect(await fixture.get(url(), poolsAnswer)).toEqual({
    pools: [
      {
        name: "default_pool",
        slots: -1,
        description: "Default pool",
        include_deferred: false,
        ...empty,
        open_slots: -1,
      },
    ],
    total_entries: 1,
  });
});

test("pools are created, changed and deleted", async () => {
  const payload = { name: "db", slots: 3, include_deferred: true };
  const created = await fixture.call({ method: "POST", url: url(), payload }, poolAnswer, 201);
  expect(created).toEqual({ ...payload, description: null, ...empty, open_slots: 3 });
  const patch = (change: object, query = "") =>
    fixture.call({ method: "PATCH", url: `${url("db")}${query}`, payload: { ...change } }, poolAnswer, 200);
  expect(await patch({ slots: -1, description: "of the shop" })).toMatchObject({ slots: -1, open_slots: -1 });
  expect(await patch({ slots: 5, description: null }, "?update_mask=slots")).toMatchObject({
    slots: 5,
    description: "of the shop",
    include_deferred: true,
  });
  expect(await patch({ pool: "db", description: null })).toMatchObject({ description: null });
  expect((await fixture.get(`${url()}?pool_name_pattern=d&order_by=-slots&limit=1`, poolsAnswer)).pools).toMatchObject([
    { name: "db" },
  ]);
  expect((await fixture.api.inject({ method: "DELETE", url: url("db") })).statusCode).toBe(204);
  await fixture.get(url("db"), problem, 404);
});

const refused: [string, "POST" | "PATCH" | "DELETE", string, object | undefined, number, RegExp][] = [
  ["a second one of a name", "POST", "", { name: "default_pool", slots: 1 }, 409, /there is a pool "default_pool"/],
  ["too few slots", "POST", "", { name: "x", slots: -2 }, 400, /slots/],
  ["a name that no path takes", "POST", "", { name: "a b", slots: 1 }, 400, /name/],
  ["a misspelt field", "PATCH", "default_pool", { slot: 1 }, 400, /slot/],
  ["another name", "PATCH", "default_pool", { pool: "other" }, 400, /cannot be renamed/],
  ["one that is not there", "PATCH", "nowhere", { slots: 1 }, 404, /there is no pool "nowhere"/],
  ["the deletion of the default", "DELETE", "default_pool", undefined, 400, /cannot be deleted/],
  ["the deletion of none", "DELETE", "nowhere", undefined, 404, /there is no pool "nowhere"/],
];
test.each(refused)("%s is refused", async (_, method, name, payload, status, message) => {
  const answer = await fixture.call(
    { method, url: url(name), ...(payload ? { payload: { ...payload } } : {}) },
    problem,
    status,
  );
  expect(JSON.stringify([answer.detail, answer.errors]).replaceAll('\\"', '"')).toMatch(message);
});
