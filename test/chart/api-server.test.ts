// Every render is accepted by a real API server, by the strict reading of each field, in a namespace that holds pods to the
// "restricted" level: without an error and without a warning.

import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRestrictedNamespace } from "../cluster/support/release.ts";
import { deleteNamespace } from "../cluster/support/pods.ts";
import { connect } from "../support/api-server.ts";
import { mustRun, runCommand } from "../support/command.ts";
import { renderSet, VALUE_SETS } from "./render.ts";

const CRDS = fileURLToPath(new URL("./crds.yaml", import.meta.url));
const http = connect();
let namespace = "";

beforeAll(async () => {
  namespace = await createRestrictedNamespace(http);
  // Another's, on a cluster from outside, are better than ours, and stay.
  await runCommand("kubectl", ["create", "--filename", CRDS]);
  await mustRun("kubectl", ["wait", "--for=condition=Established", "--timeout=30s", "--filename", CRDS]);
});
afterAll(async () => {
  await deleteNamespace(http, namespace);
  await http.close();
});

function dryRun(manifest: string) {
  return runCommand(
    "kubectl",
    ["apply", "--dry-run=server", "--server-side", "--validate=strict", "--filename", "-"],
    manifest,
  );
}

describe("the API server", () => {
  it.each(VALUE_SETS)("accepts %s", async (name) => {
    const { code, stdout, stderr } = await dryRun(await renderSet(name, namespace));
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toContain("deployment.apps/");
  });

  it("would say if it did not", async () => {
    const manifest = await renderSet("monitoring", namespace);
    const unknown = await dryRun(manifest.replace("readOnlyRootFilesystem", "readOnlyFilesystem"));
    expect(unknown.stderr).toContain("readOnlyFilesystem");
    expect(unknown.code).not.toBe(0);
    const unsafe = await dryRun(manifest.replace("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"));
    expect(unsafe.stderr).toContain("would violate PodSecurity");
    const misspelt = await dryRun(manifest.replace("alert: WindlassNoApi", "alarm: WindlassNoApi"));
    expect(misspelt.code).not.toBe(0);
  });
});
