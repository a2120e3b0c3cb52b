// A branch between two containers and a task that joins them. The image is pulled for every pod, for its tag is moved now and
// then. `env` holds text, numbers and booleans: an object in it, such as { ROWS: { count: 3 } }, does not compile.

import { branch, dag, kubernetesPod, task } from "windlass";
import * as z from "zod";

const BIG = 1_000;

const size = branch("size", ({ rows }: { rows: number }) => (rows > BIG ? "in_bulk" : "one_by_one"));

const load = kubernetesPod<{ loaded: number }>("load", {
  image: "node:26-bookworm-slim",
  cmds: ["node", "-e"],
  arguments: [`fs.writeFileSync("/dev/termination-log", JSON.stringify({ loaded: Number(process.env.ROWS) }))`],
  pod: { spec: { containers: [{ name: "base", imagePullPolicy: "Always" }] } },
});

const join = task(
  "join",
  { triggerRule: "none_failed_min_one_success" },
  ({ bulk, single }: { bulk: number | null; single: number | null }) => {
    const loaded = bulk ?? single ?? 0;
    console.log(`${loaded} rows`);
    return loaded;
  },
);

export default dag(
  "kubernetes_101",
  { description: "A branch between two containers", params: z.object({ rows: z.int().min(0).default(3) }) },
  ({ params }) => {
    const bulk = load.as("load_in_bulk")({ env: { ROWS: params.rows } });
    const single = load.as("load_one_by_one")({ env: { ROWS: params.rows } });
    size({ rows: params.rows }).to({ in_bulk: bulk, one_by_one: single });
    join({ bulk: bulk.get("loaded"), single: single.get("loaded") });
  },
);
