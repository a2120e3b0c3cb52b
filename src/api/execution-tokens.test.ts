import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { isFailure } from "../core/errors.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { createExecutionTokens, type TokenScope } from "./execution-tokens.ts";

function makeTokens(key = "key") {
  let seconds = Date.UTC(2026, 0, 1, 12, 1) / 1000;
  const tokens = createExecutionTokens(key, { ...systemClock, now: () => new Date(seconds * 1000) });
  return { ...tokens, advance: (by: number) => (seconds += by), attempt: { attempt_id: randomUUID(), epoch: 3 } };
}

const refused = async (check: Promise<unknown>) =>
  isFailure(await check.catch((error: unknown) => error), "unauthenticated");

test("a token names its attempt and opens its own scope only", async () => {
  const { issueLaunchToken, issueExecutionToken, verify, attempt } = makeTokens();
  const issue = { launch: issueLaunchToken, execution: issueExecutionToken };
  for (const scope of ["launch", "execution"] as const satisfies TokenScope[]) {
    const token = await issue[scope](attempt);
    expect(await verify(token, scope)).toMatchObject(attempt);
    expect(await refused(verify(token, scope === "launch" ? "execution" : "launch"))).toBe(true);
    expect(await refused(makeTokens("other").verify(token, scope))).toBe(true);
  }
});

test("a launch repeated within the hour carries the same token", async () => {
  const { issueLaunchToken, advance, attempt } = makeTokens();
  const first = await issueLaunchToken(attempt);
  advance(50 * 60);
  expect(await issueLaunchToken(attempt)).toBe(first);
  expect(await issueLaunchToken({ ...attempt, epoch: 4 })).not.toBe(first);
});

test("a launch token outlives a day, an execution token a quarter of an hour", async () => {
  const { issueLaunchToken, issueExecutionToken, verify, advance, attempt } = makeTokens();
  const launch = await issueLaunchToken(attempt);
  const execution = await issueExecutionToken(attempt);
  expect((await verify(execution, "execution")).renewable).toBe(false);
  advance(8 * 60);
  expect((await verify(execution, "execution")).renewable).toBe(true);
  advance(7 * 60 + 11);
  expect(await refused(verify(execution, "execution"))).toBe(true);
  advance(23 * 3600 + 44 * 60);
  expect(await verify(launch, "launch")).toMatchObject(attempt);
  advance(3700);
  expect(await refused(verify(launch, "launch"))).toBe(true);
});
