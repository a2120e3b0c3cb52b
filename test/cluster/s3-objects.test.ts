// The store of objects in S3, against a server of its own that speaks the protocol and checks every signature.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findFreePort } from "../../src/cli/free-port.ts";
import type { ObjectStore } from "../../src/core/object-store.ts";
import { openObjectStore } from "../../src/objects/open-object-store.ts";
import { describeObjectStore } from "../support/object-store-contract.ts";
import { pollUntil } from "./support/poll.ts";

const server = process.env["WINDLASS_TEST_S3_SERVER"];
const KEYS = { access: "windlass-test", secret: "a secret for this test" };
const BUCKET = "files";

describe.runIf(server !== undefined)("objects in S3", () => {
  let folder = "";
  let child: ChildProcess | null = null;
  let place = "";
  let store: ObjectStore;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "windlass-s3-"));
    await mkdir(join(folder, "data", BUCKET), { recursive: true });
    await mkdir(join(folder, "meta"));
    const port = await findFreePort();
    process.env["AWS_ACCESS_KEY_ID"] = KEYS.access;
    process.env["AWS_SECRET_ACCESS_KEY"] = KEYS.secret;
    child = spawn(
      server ?? "",
      ["--port", `127.0.0.1:${port}`, "--quiet", "posix", "--sidecar", join(folder, "meta"), join(folder, "data")],
      {
        env: { PATH: process.env["PATH"], ROOT_ACCESS_KEY_ID: KEYS.access, ROOT_SECRET_ACCESS_KEY: KEYS.secret },
        stdio: "ignore",
      },
    );
    place = `s3://${BUCKET}/some/prefix?region=us-east-1&endpoint=http://127.0.0.1:${port}`;
    store = await openObjectStore(place);
    await pollUntil(
      () => store.put("ready", Readable.from([Buffer.from("x")])).then(() => "ready", String),
      (answer) => answer === "ready",
      (answer) => answer,
      30_000,
    );
  });
  afterAll(async () => {
    child?.kill();
    delete process.env["AWS_ACCESS_KEY_ID"];
    delete process.env["AWS_SECRET_ACCESS_KEY"];
    await rm(folder, { recursive: true, force: true });
  });

  describeObjectStore(() => store);

  test("a bucket that does not exist is unavailable, named without its credentials", async () => {
    const wrong = await openObjectStore(place.replace(BUCKET, "nowhere"));
    const answer = wrong.put("a/1", Readable.from([Buffer.from("x")]));
    await expect(answer).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("s3://nowhere/some/prefix"),
    });
  });
});
