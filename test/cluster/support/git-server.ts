// A repository for the tests of git-sync: written on this machine, served to pods by HTTP to those who sign in.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface GitServer {
  /** Where pods reach the repository; asks for the credentials. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** Writes the files to the branch main, and returns the commit. */
  push(files: Record<string, string>): string;
  /** An annotated tag on the newest commit. */
  tag(name: string): void;
  stop(): Promise<void>;
}

/** @param host this machine's address as pods reach it */
export async function startGitServer(host: string): Promise<GitServer> {
  const root = mkdtempSync(join(tmpdir(), "windlass-git-"));
  const work = join(root, "dags");
  const git = (...args: string[]) => {
    const who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
    return execFileSync("git", ["-C", work, ...who, ...args], { encoding: "utf8" }).trim();
  };
  mkdirSync(work);
  git("init", "--quiet", "--initial-branch=main");
  const [username, password] = ["reader", "a token: with signs/+"];
  const expected = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

  const server = createServer((request, response) => {
    if (request.headers.authorization !== expected) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
      return;
    }
    const { pathname, search } = new URL(request.url ?? "/", "http://any");
    const child = spawn("git", ["http-backend"], {
      env: {
        PATH: process.env["PATH"] ?? "",
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: "1",
        GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
        REQUEST_METHOD: request.method ?? "GET",
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        CONTENT_TYPE: request.headers["content-type"] ?? "",
        HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
        REMOTE_USER: username,
      },
      stdio: ["pipe", "pipe", "inherit"],
    });
    request.pipe(child.stdin);
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stdout.on("end", () => {
      const answer = Buffer.concat(chunks);
      const end = answer.indexOf("\r\n\r\n");
      const headers = answer
        .subarray(0, end)
        .toString()
        .split("\r\n")
        .map((line) => line.split(": ", 2));
      const status = headers.find(([name]) => name === "Status")?.[1] ?? "200";
      for (const [name = "", value = ""] of headers) if (name !== "Status") response.setHeader(name, value);
      response.writeHead(Number.parseInt(status, 10)).end(answer.subarray(end + 4));
    });
  });
  server.listen(0, "0.0.0.0");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://${host}:${port}/dags/.git`,
    username,
    password,
    push: (files) => {
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(work, path)), { recursive: true });
        writeFileSync(join(work, path), text);
      }
      git("add", "--all");
      git("commit", "--quiet", "--message", "Change");
      return git("rev-parse", "HEAD");
    },
    tag: (name) => void git("tag", "--annotate", "--message", name, name),
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      rmSync(root, { recursive: true, force: true });
    },
  };
}
