import { once } from "node:events";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RESULT_EXIT } from "../contract/worker-process.ts";
import { systemClock } from "../lifecycle/clock.ts";
import { deliverResult } from "./deliver-result.ts";

/** An API that answers with `statuses` in turn. */
async function deliver(content: string | null, statuses: number[] = [204]) {
  const folder = await mkdtemp(join(tmpdir(), "result-"));
  const file = join(folder, "result.json");
  const messageFile = join(folder, "message");
  await writeFile(messageFile, "");
  if (content !== null) await writeFile(file, content);
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      bodies.push(
        `${request.method} ${request.url} ${request.headers.authorization} ${Buffer.concat(chunks).toString()}`,
      );
      response.writeHead(statuses.shift() ?? 204).end("{}");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const code = await deliverResult({ address, attemptId: "a", token: "t", file, messageFile }, systemClock);
  server.closeAllConnections();
  server.close();
  return { code, bodies, message: await readFile(messageFile, "utf8") };
}

test("the file is delivered as it is, also when the API is away for a moment", async () => {
  const { code, bodies, message } = await deliver(' {"rows": 3}\n', [503, 204]);
  expect({ code, message }).toEqual({ code: RESULT_EXIT.delivered, message: "" });
  expect(bodies[1]).toBe('POST /execution/v1/attempts/a/result Bearer t {"result":{"rows":3}}');
  expect(bodies).toHaveLength(2);
});

test("no file is no result", async () => {
  expect(await deliver(null)).toEqual({ code: RESULT_EXIT.delivered, bodies: [], message: "" });
});

test.each([
  ["text", "rows: 3", /result\.json is not JSON/],
  ["too much", JSON.stringify("x".repeat(300_000)), /holds 300002 bytes of JSON, at most 262144/],
])("%s cannot be used", async (_, content, message) => {
  const answer = await deliver(content);
  expect(answer).toMatchObject({ code: RESULT_EXIT.unusable, bodies: [] });
  expect(answer.message).toMatch(message);
});

test("a file of a size that nobody should read is not read", async () => {
  const answer = await deliver(" ".repeat(17 * 1_048_576));
  expect(answer).toMatchObject({ code: RESULT_EXIT.unusable, bodies: [] });
  expect(answer.message).toMatch(/result\.json holds 17825792 bytes, at most 262144 of JSON are kept/);
});

test("a folder in its place cannot be used", async () => {
  const folder = await mkdtemp(join(tmpdir(), "result-"));
  const messageFile = join(folder, "message");
  const delivery = { address: "http://nobody", attemptId: "a", token: "t", file: folder, messageFile };
  expect(await deliverResult(delivery, systemClock)).toBe(RESULT_EXIT.unusable);
  expect(await readFile(messageFile, "utf8")).toMatch(/is no file$/);
});

test("what the API refuses is undelivered, with its reason", async () => {
  const answer = await deliver("1", [409]);
  expect(answer).toMatchObject({ code: RESULT_EXIT.undelivered });
  expect(answer.message).toContain("could not be delivered");
});
