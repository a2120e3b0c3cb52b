// Files of tasks, from the worker's calls over HTTP to the object store and back, and logs on their way out of Postgres.

import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type ApiFixture,
  makeDag,
  makeTask,
  openApiFixture,
  publishDag,
  queueAttempt,
  triggerRun,
} from "../../src/api/api-fixture.ts";
import { startAnswer } from "../../src/contract/execution.ts";
import { artifactsAnswer } from "../../src/contract/rest-artifacts.ts";
import { logAnswer } from "../../src/contract/rest-logs.ts";
import { systemClock } from "../../src/lifecycle/clock.ts";
import { openDirectory } from "../../src/objects/directory-objects.ts";
import { archiveLogs } from "../../src/scheduler/archive-logs.ts";
import type { Artifacts } from "../../src/sdk/artifacts.ts";
import { createArtifactCalls } from "../../src/worker/artifact-calls.ts";
import { createArtifacts } from "../../src/worker/artifacts.ts";

interface Bundle extends AsyncDisposable {
  fixture: ApiFixture;
  folder: string;
  address: string;
  /** A running attempt of `task` in a new run. */
  start(dagId: string, taskId: string): Promise<Running>;
  archive(): Promise<Record<string, number>>;
}
interface Running {
  attemptId: string;
  token: string;
  runId: string;
  artifacts: Artifacts;
}

async function openBundle(): Promise<Bundle> {
  const folder = await mkdtemp(join(tmpdir(), "windlass-objects-"));
  const objects = openDirectory(folder);
  const fixture = await openApiFixture({ objects });
  const address = await fixture.api.listen({ host: "127.0.0.1", port: 0 });
  const tasks = [makeTask("first"), makeTask("second", { upstream: ["first"] })];
  await publishDag(fixture, makeDag("etl", { tasks }));
  await publishDag(fixture, makeDag("other", { tasks }));
  const call = (method: "POST", path: string, token: string, payload: object) =>
    fixture.api.inject({
      method,
      url: `/execution/v1/attempts/${path}`,
      headers: { authorization: `Bearer ${token}` },
      payload,
    });
  return {
    fixture,
    folder,
    address,
    start: async (dagId, taskId) => {
      const runId = randomUUID();
      await triggerRun(fixture, dagId, runId);
      const attemptId = await queueAttempt(fixture, { dag_id: dagId, dag_run_id: runId, task_id: taskId });
      const launch = await fixture.tokens.issueLaunchToken({ attempt_id: attemptId, epoch: 1 });
      const started = await call("POST", `${attemptId}/start`, launch, {
        worker_id: randomUUID(),
        hostname: "pod",
        pid: 1,
      });
      const { token } = startAnswer.parse(started.json());
      const { signal } = new AbortController();
      const calls = createArtifactCalls({ address, attemptId, token: () => token, signal, clock: systemClock });
      return { attemptId, token, runId, artifacts: createArtifacts(calls) };
    },
    archive: async () => {
      const { db, clock, log } = fixture.options;
      return (await archiveLogs({ db, clock, log }, objects, new AbortController().signal)).counts;
    },
    [Symbol.asyncDispose]: async () => {
      await fixture.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

let bundle: Bundle;
beforeEach(async () => {
  bundle = await openBundle();
});
afterEach(() => bundle[Symbol.asyncDispose]());

test("text, bytes, files and streams are kept, read downstream, listed and downloaded", async () => {
  const { fixture, folder } = bundle;
  const writer = await bundle.start("etl", "first");
  const bytes = randomBytes(3 * 2 ** 20);
  const path = join(folder, "local.bin");
  await writeFile(path, bytes);
  async function* chunks() {
    yield bytes.subarray(0, 1000);
    yield bytes.subarray(1000);
  }
  const text = await writer.artifacts.write("report ü.csv", "a,b\n", { mediaType: "text/csv" });
  expect(text).toEqual({ artifact_id: text.artifact_id, name: "report ü.csv", media_type: "text/csv", size: 4 });
  const fromFile = await writer.artifacts.write("from-file", { path });
  const fromStream = await writer.artifacts.write("from-stream", chunks());
  expect([fromFile.size, fromStream.size]).toEqual([bytes.length, bytes.length]);

  const reader = await bundle.start("etl", "second");
  expect(await reader.artifacts.text(text)).toBe("a,b\n");
  const saved = join(folder, "saved.bin");
  await reader.artifacts.save(fromStream, saved);
  expect(await readFile(saved)).toEqual(bytes);

  const url = `/api/v2/dags/etl/dagRuns/${writer.runId}/taskInstances/first/artifacts`;
  const listed = await fixture.get(url, artifactsAnswer);
  expect(listed.artifacts.map(({ name, size }) => [name, size])).toEqual([
    ["from-file", bytes.length],
    ["from-stream", bytes.length],
    ["report ü.csv", 4],
  ]);
  const content = await fixture.api.inject(`${url}/${text.artifact_id}/content`);
  expect(content.body).toBe("a,b\n");
  expect(content.headers).toMatchObject({
    "content-type": "text/csv",
    "content-disposition": "attachment; filename*=UTF-8''report%20%C3%BC.csv",
  });
});

test("an attempt reaches the files of its own DAG, and of no other", async () => {
  const writer = await bundle.start("etl", "first");
  const file = await writer.artifacts.write("x", "secret of etl");
  const stranger = await bundle.start("other", "first");
  await expect(stranger.artifacts.text(file)).rejects.toThrow("this DAG has no artifact");
  await expect(writer.artifacts.write("a/b", "x")).rejects.toThrow("slashes");
});

test("an upload that breaks off is no file, and what it left is deleted after a day", async () => {
  const { fixture, address, folder } = bundle;
  const { attemptId, token, runId } = await bundle.start("etl", "first");
  await new Promise<void>((resolve) => {
    const upload = request(
      `${address}/execution/v1/attempts/${attemptId}/artifacts/${randomUUID()}?name=x&media_type=a/b`,
      {
        method: "PUT",
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/octet-stream",
          "content-length": 1000,
        },
      },
    );
    upload.on("error", () => resolve());
    upload.write(Buffer.alloc(500), () => upload.destroy());
  });
  await expect
    .poll(async () => (await fixture.db.query({ text: "select key from object_garbage" })).rows.length)
    .toBe(1);
  const url = `/api/v2/dags/etl/dagRuns/${runId}/taskInstances/first/artifacts`;
  expect(await fixture.get(url, artifactsAnswer)).toMatchObject({ total_entries: 0 });
  expect(await bundle.archive()).toMatchObject({ deleted: 0 });
  fixture.advance(86_401);
  expect(await bundle.archive()).toMatchObject({ deleted: 1 });
  expect((await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())).toEqual(
    [],
  );
});

test("files and archived logs go with their run", async () => {
  const { fixture, folder } = bundle;
  const { artifacts, runId } = await bundle.start("etl", "first");
  await artifacts.write("x", "content");
  await fixture.db.query({ text: "delete from dag_run where dag_run_id = $1", values: [runId] });
  expect(await bundle.archive()).toMatchObject({ deleted: 1 });
  expect((await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())).toEqual(
    [],
  );
});

test("an ended attempt's log moves to the object store, and its readers see no difference", async () => {
  const { fixture } = bundle;
  const { attemptId, token, runId } = await bundle.start("etl", "first");
  const post = (action: string, payload: object) =>
    fixture.api.inject({
      method: "POST",
      url: `/execution/v1/attempts/${attemptId}/${action}`,
      headers: { authorization: `Bearer ${token}` },
      payload,
    });
  const lines = Array.from({ length: 2_500 }, (_, seq) => ({
    seq,
    timestamp: fixture.now().toISOString(),
    level: "info",
    event: `line ${seq}`,
  }));
  expect((await post("logs", { lines })).statusCode).toBe(204);
  expect((await post("finish", { state: "success", result: null })).statusCode).toBe(204);
  const readAll = async () => {
    const url = `/api/v2/dags/etl/dagRuns/${runId}/taskInstances/first/logs/1`;
    const whole = await fixture.get(`${url}?full_content=true`, logAnswer);
    const first = await fixture.get(url, logAnswer);
    const next = await fixture.get(`${url}?token=${first.continuation_token ?? ""}`, logAnswer);
    const stream = await fixture.api.inject({ url, headers: { accept: "application/x-ndjson" } });
    return { whole, first, next, stream: stream.body };
  };
  const before = await readAll();
  expect(before.whole.content).toHaveLength(2_500);
  expect(before.next.content[0]?.event).toBe("line 1000");

  expect(await bundle.archive()).toMatchObject({ archived: 0 });
  await fixture.db.query({ text: "update attempt set cleaned_at = $1", values: [fixture.now()] });
  fixture.advance(61);
  expect(await bundle.archive()).toMatchObject({ archived: 1 });
  expect(await bundle.archive()).toMatchObject({ archived: 0 });
  const { rows } = await fixture.db.query<{ kept: number }>({ text: "select count(*) as kept from task_log" });
  expect(rows).toEqual([{ kept: 50 }]);
  expect(await readAll()).toEqual(before);
});

test("a store that is away leaves logs where they are", async () => {
  const { fixture, folder } = bundle;
  const { attemptId, token } = await bundle.start("etl", "first");
  await fixture.api.inject({
    method: "POST",
    url: `/execution/v1/attempts/${attemptId}/logs`,
    headers: { authorization: `Bearer ${token}` },
    payload: { lines: [{ seq: 0, timestamp: fixture.now().toISOString(), level: "info", event: "x" }] },
  });
  await fixture.api.inject({
    method: "POST",
    url: `/execution/v1/attempts/${attemptId}/finish`,
    headers: { authorization: `Bearer ${token}` },
    payload: { state: "success", result: null },
  });
  await fixture.db.query({ text: "update attempt set cleaned_at = $1", values: [fixture.now()] });
  fixture.advance(61);
  await rm(folder, { recursive: true });
  await writeFile(folder, "in the way");
  expect(await bundle.archive()).toMatchObject({ archived: 0 });
  const { rows } = await fixture.db.query<{ kept: number }>({ text: "select count(*) as kept from task_log" });
  expect(rows).toEqual([{ kept: 1 }]);
});
