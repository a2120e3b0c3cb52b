// What waits without a pod: a sensor that looks for a file, a person who is asked, a pause. A setup and its teardown stand around
// the work, and whoever is behind the hook hears of failures.

import { approval, bash, type CallbackContext, dag, sensor, task, waitFor } from "windlass";
import * as z from "zod";

const tell = async ({ dag_id, run_id, reason }: CallbackContext) => {
  await fetch("https://hooks.example.com/windlass", { method: "POST", body: `${dag_id} ${run_id}: ${reason}` });
};

const published = sensor(
  "published",
  { every: "30s", backoff: true, timeout: "6h" },
  async ({ url }: { url: string }, { signal }) => {
    const response = await fetch(url, { method: "HEAD", signal });
    return response.ok && { done: true, value: { length: Number(response.headers.get("content-length")) } };
  },
);

const ask = approval("ask", { subject: "Publish the report?", timeout: "1d", default: "reject" });
const settle = waitFor("settle", "10m");
const makeFolder = bash("make_folder", { command: "mktemp --directory" });
const removeFolder = bash("remove_folder", { command: 'rm -r "$FOLDER"' });

const publish = task("publish", ({ folder, length }: { folder: string | null; length: number }) => {
  console.log(`publishing ${length} bytes by way of ${folder}`);
  return length;
});

export default dag(
  "wait_and_approve",
  {
    description: "A sensor, an approval, and work between a setup and its teardown",
    params: z.object({ url: z.url().default("https://example.com/report.pdf") }),
    onFailure: tell,
    deadline: { after: "12h", from: "started", callback: tell },
  },
  ({ params }) => {
    const found = published({ url: params.url });
    const asked = ask();
    found.before(asked);
    const folder = makeFolder().asSetup();
    folder.after(asked);
    const done = publish({ folder, length: found.get("length") });
    const removed = removeFolder({ env: { FOLDER: folder } });
    removed.asTeardown({ of: folder }).after(done);
    settle().after(done);
  },
);
