// An API server of pods inside the test's process: as much of Kubernetes as Windlass uses, and no more. That it behaves as
// the real one does is shown by test/support/api-server-contract.ts, which both must pass. What a real one cannot be made
// to do at will (hang, refuse, lose an answer, forget) is done by `intercept` and the other levers.

import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "../../src/core/json.ts";
import { arrayAt, isObject, numberAt, objectAt, textAt } from "../../src/kubernetes/read-json.ts";
import { type Clock, systemClock } from "../../src/lifecycle/clock.ts";
import {
  createFakeObjects,
  type FakeObjects,
  type FakeStatus,
  isStatus,
  notFound,
  type Place,
} from "./fake-objects.ts";
import { listPage, type ListPages } from "./fake-list.ts";
import { serveWatch, type WatchLevers } from "./fake-watch.ts";

export interface FakeRequest {
  verb: string;
  /** With its subresource, as "pods/log". */
  resource: string;
  namespace: string | null;
  name: string;
  url: URL;
}

/** pass: as always. answered: the test has answered, or lets it hang. lose: it is done, and its answer is lost. */
export type Interception = "pass" | "answered" | "lose";

export interface FakeApiServer {
  url: string;
  objects: FakeObjects;
  /** Every request so far. */
  requests: FakeRequest[];
  /** Verbs of pods and their subresources, with how often each was asked for. */
  counts(): Record<string, number>;
  intercept: (request: FakeRequest, response: ServerResponse) => Interception | Promise<Interception>;
  levers: WatchLevers;
  /** Of a container: lines as the kubelet keeps them, "TIME text\n". */
  logs: Map<string, string>;
  /** A user with this token may do this alone, as "verb resource". Any other may do everything. */
  allow(token: string, permissions: readonly string[]): void;
  connections(): Promise<number>;
  close(): Promise<void>;
}

export async function startFakeApiServer(clock: Clock = systemClock): Promise<FakeApiServer> {
  const objects = createFakeObjects();
  const pages: ListPages = new Map();
  const permissions = new Map<string, ReadonlySet<string>>();
  for (const name of ["default", "kube-system"]) objects.create({ resource: "namespaces", namespace: null, name }, {});

  const handle = async (http: IncomingMessage, response: ServerResponse) => {
    const body = await readBody(http);
    const request = readRequest(http);
    if (request === null)
      return answer(response, 404, statusBody({ code: 404, reason: "NotFound", message: "no such path" }));
    fake.requests.push(request);
    const interception = await fake.intercept(request, response);
    if (interception === "answered") return;
    const send = (result: JsonObject | FakeStatus, code = 200) => {
      if (interception === "lose") return void response.socket?.resetAndDestroy();
      if (isStatus(result)) answer(response, result.code, statusBody(result));
      else answer(response, code, result);
    };
    const allowed = permissions.get((http.headers.authorization ?? "").replace("Bearer ", ""));
    if (request.resource === "selfsubjectaccessreviews") return send(review(body, allowed), 201);
    const right = `${request.verb} ${request.resource}`;
    if (allowed !== undefined && !allowed.has(right)) {
      const message = `${request.resource} is forbidden: User "u" cannot ${request.verb} resource "${request.resource}"`;
      return send({ code: 403, reason: "Forbidden", message });
    }
    const [resource = "", subresource = null] = request.resource.split("/");
    const place: Place = { resource, namespace: request.namespace, name: request.name };
    switch (request.verb) {
      case "list":
        return send(listPage(objects, pages, place, request.url.searchParams));
      case "watch":
        return serveWatch({ objects, clock, levers: fake.levers }, place, request.url.searchParams, response, send);
      case "get":
        if (subresource === "log") return sendLog(place, request.url.searchParams, response, send);
        return send(objects.find(place) ?? notFound(place));
      case "create":
        return send(objects.create({ ...place, name: textAt(objectAt(body, "metadata"), "name") ?? "" }, body), 201);
      case "patch":
        return send(objects.patch(place, subresource, body));
      default: {
        const grace = request.url.searchParams.get("gracePeriodSeconds");
        const uid = textAt(objectAt(body, "preconditions"), "uid");
        return send(objects.remove(place, uid, grace === null ? numberAt(body, "gracePeriodSeconds") : Number(grace)));
      }
    }
  };

  const sendLog = (
    place: Place,
    query: URLSearchParams,
    response: ServerResponse,
    send: (status: FakeStatus) => void,
  ) => {
    const pod = objects.find(place);
    if (pod === null) return send(notFound(place));
    const container = query.get("container") ?? "";
    const known = arrayAt(objectAt(pod, "spec"), "containers").some((each) => textAt(each, "name") === container);
    if (!known)
      return send({
        code: 400,
        reason: "BadRequest",
        message: `container ${container} is not valid for pod ${place.name}`,
      });
    if (textAt(objectAt(pod, "spec"), "nodeName") === null) return void response.writeHead(204).end();
    const since = Date.parse(query.get("sinceTime") ?? "1970-01-01T00:00:00Z");
    const lines = (fake.logs.get(place.name) ?? "")
      .split(/(?<=\n)/)
      .filter((line) => Date.parse(line.split(" ", 1)[0] ?? "") >= since);
    const text = Buffer.from(lines.slice(-Number(query.get("tailLines") ?? lines.length)).join(""));
    response
      .writeHead(200, { "content-type": "text/plain" })
      .end(text.subarray(0, Number(query.get("limitBytes") ?? text.length)));
  };

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (!response.headersSent)
        answer(response, 500, statusBody({ code: 500, reason: "InternalError", message: String(error) }));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const fake: FakeApiServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    requests: [],
    counts: () => {
      const counts: Record<string, number> = {};
      for (const { verb, resource } of fake.requests) {
        const key = resource === "pods" ? verb : `${verb} ${resource}`;
        if (resource.startsWith("pods")) counts[key] = (counts[key] ?? 0) + 1;
      }
      return counts;
    },
    intercept: () => "pass",
    levers: { expiredAs: "event", silent: false, bookmarkMs: 60_000, open: new Set() },
    logs: new Map(),
    allow: (token, rights) => permissions.set(token, new Set(rights)),
    connections: () => new Promise((resolve) => server.getConnections((_, count) => resolve(count))),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return fake;
}

/** A kubeconfig that leads to it. */
export async function writeFakeKubeconfig({ url }: { url: string }, token = "anyone"): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), "fake-kubeconfig-")), "config");
  const config = {
    clusters: [{ name: "c", cluster: { server: url, "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: { token } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  await writeFile(file, JSON.stringify(config));
  return file;
}

const PATH = /^\/api\/v1(?:\/namespaces\/([^/]+)(?=\/))?\/([a-z]+)(?:\/([^/]+))?(?:\/([a-z]+))?$/;
const VERBS: Record<string, string> = { POST: "create", PATCH: "patch", DELETE: "delete" };

function readRequest(request: IncomingMessage): FakeRequest | null {
  const url = new URL(request.url ?? "/", "http://server");
  if (url.pathname.endsWith("/selfsubjectaccessreviews")) {
    return { verb: "create", resource: "selfsubjectaccessreviews", namespace: null, name: "", url };
  }
  const match = PATH.exec(url.pathname);
  if (match === null) return null;
  const [, namespace = null, resource = "", name = "", subresource] = match;
  const reading = name !== "" ? "get" : url.searchParams.has("watch") ? "watch" : "list";
  const verb = VERBS[request.method ?? ""] ?? reading;
  return { verb, resource: subresource === undefined ? resource : `${resource}/${subresource}`, namespace, name, url };
}

async function readBody(request: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body: unknown = chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString());
  return isObject(body) ? (body as JsonObject) : {};
}

function review(body: JsonObject, allowed: ReadonlySet<string> | undefined): JsonObject {
  const asked = objectAt(objectAt(body, "spec"), "resourceAttributes");
  const part = textAt(asked, "subresource");
  const right = `${textAt(asked, "verb")} ${textAt(asked, "resource")}${part === null ? "" : `/${part}`}`;
  return { kind: "SelfSubjectAccessReview", status: { allowed: allowed === undefined || allowed.has(right) } };
}

function statusBody({ code, reason, message, causes }: FakeStatus): object {
  return {
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    code,
    reason,
    message,
    details: { causes: causes ?? [] },
  };
}

function answer(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
}
