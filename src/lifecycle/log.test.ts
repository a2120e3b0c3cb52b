import { expect, it } from "vitest";
import { describeError } from "./log.ts";

it("logs what happened, and nothing that a library hung on the error", () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED"), {
    code: "ECONNREFUSED",
    client: { password: "secret" },
  });
  const error = Object.assign(new Error("Postgres does not answer", { cause: refused }), { code: "unavailable" });
  expect(describeError(error)).toMatchObject({
    type: "Error",
    message: "Postgres does not answer",
    code: "unavailable",
    stack: expect.stringContaining("log.test.ts"),
    cause: { code: "ECONNREFUSED", message: "connect ECONNREFUSED" },
  });
  expect(JSON.stringify(describeError(error))).not.toContain("secret");
});

it("shows each of several errors, and what is no error as it is", () => {
  expect(describeError(new AggregateError([new Error("one"), "two"], "both"))).toMatchObject({
    message: "both",
    errors: [{ message: "one" }, "two"],
  });
});
