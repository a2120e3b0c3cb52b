import { callback, dag, task } from "windlass";
import { callCallback } from "windlass/testing";
import { expect, test } from "vitest";

const page = callback(
  { variables: ["key"], connections: ["chat"] },
  ({ reason, task_id }, { variables, connections }) =>
    [task_id, reason, variables.key, connections.chat.host, Object.keys(variables)].join(" "),
);
const load = task("load", { onFailure: page, onRetry: ({ try_number }) => try_number }, () => 1);
const sales = dag("sales", { onFailure: page, onSuccess: ({ run_state }) => run_state }, () => void load());
const secrets = { variables: { key: "k", other: "o" }, connections: { chat: { host: "h" } } };

test("a callback is called with what it is told, and given what it declares", async () => {
  expect(await callCallback(sales, "failure", { ...secrets, context: { reason: "no rows" } })).toBe(" no rows k h key");
  expect(await callCallback(sales, "failure", { ...secrets, task: load })).toBe("load the test says so k h key");
  expect(await callCallback(sales, "retry", { task: "load", context: { try_number: 2 } })).toBe(2);
  expect(await callCallback(sales, "success")).toBe("success");
});

test("what there is not is named", async () => {
  await expect(callCallback(sales, "deadline")).rejects.toThrow(
    'DAG "sales" has no callback ":deadline"; it has: :failure, :success, load:failure, load:retry',
  );
  await expect(callCallback(sales, "failure", { variables: { key: "k" } })).rejects.toThrow(
    'there is no connection "chat"',
  );
});
