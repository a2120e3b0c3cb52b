// A container of any image, and a function task that prints what it has made: three times, with more around it each time.
// Needs a cluster: `windlass dags test` skips the containers.

import { dag, kubernetesPod, task } from "windlass";

const IMAGE = "node:26-bookworm-slim";
const RESOURCES = { requests: { cpu: "100m", memory: "256Mi" } };
const REPORT = "/dev/termination-log";

const print = task("print", ({ rows }: { rows: number }) => console.log(`${rows} rows`));

const extract = kubernetesPod<{ rows: number }>("extract", {
  image: IMAGE,
  cmds: [
    "node",
    "-e",
    `console.log("extracting"); fs.writeFileSync("${REPORT}", JSON.stringify({ rows: process.argv.length }))`,
  ],
  arguments: ["--", "--table", "orders"],
  pod: { resources: RESOURCES },
});

export const plain = dag("kubernetes_pipeline", { schedule: "@daily", start: "2026-01-01" }, () => {
  print({ rows: extract().get("rows") });
});

// A Secret with the key credentials.json, mounted as a file:
//   kubectl create secret generic pipeline-credentials --from-file=credentials.json
const COPY = `
const [, input, , output] = process.argv.slice(1);
const { user } = JSON.parse(fs.readFileSync(process.env.CREDENTIALS, "utf8"));
const text = fs.readFileSync(input, "utf8");
fs.writeFileSync(output, text);
console.log(user + " copied " + input + " to " + output);
fs.writeFileSync("${REPORT}", JSON.stringify({ rows: text.split("\\n").length }));
`;

const transform = kubernetesPod<{ rows: number }>("transform", {
  image: IMAGE,
  cmds: ["node", "-e", COPY],
  arguments: ["--", "--input", "/etc/passwd", "--output", "/tmp/output"],
  env: { CREDENTIALS: "/var/secrets/credentials.json" },
  pod: {
    resources: RESOURCES,
    spec: {
      volumes: [{ name: "credentials", secret: { secretName: "pipeline-credentials" } }],
      containers: [
        { name: "base", volumeMounts: [{ name: "credentials", mountPath: "/var/secrets", readOnly: true }] },
      ],
    },
  },
});

export const withFiles = dag("kubernetes_pipeline_files", { schedule: "@daily", start: "2026-01-01" }, () => {
  print({ rows: transform().get("rows") });
});

// An image of a private registry, pulled anew for every pod, and as many at once as maxActiveTasks says.
const part = kubernetesPod<{ rows: number }>("part", {
  image: IMAGE,
  cmds: ["node", "-e", `fs.writeFileSync("${REPORT}", JSON.stringify({ rows: Number(process.env.PART) }))`],
  pod: {
    resources: RESOURCES,
    spec: {
      imagePullSecrets: [{ name: "registry-credentials" }],
      containers: [{ name: "base", imagePullPolicy: "Always" }],
    },
  },
});

const add = task("add", ({ parts }: { parts: number[] }) => {
  const rows = parts.reduce((sum, rowsOfPart) => sum + rowsOfPart, 0);
  console.log(`${rows} rows`);
  return rows;
});

export const scaled = dag(
  "kubernetes_pipeline_scaled",
  { schedule: "@daily", start: "2026-01-01", maxActiveTasks: 2 },
  () => {
    const parts = [1, 2, 3, 4].map((number) =>
      part
        .as(`part_${number}`)({ env: { PART: number } })
        .get("rows"),
    );
    add({ parts });
  },
);
