// Open mode asks for no token, so a page in the user's browser must not be able to use it. A foreign name that resolves
// to this machine (DNS rebinding) shows in the Host header; a foreign page's write shows in Origin and Sec-Fetch-Site.

import type { IncomingHttpHeaders } from "node:http";
import { isIPv4 } from "node:net";

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/** The reason to refuse a request, or null. */
export function findForeignSign(method: string, headers: IncomingHttpHeaders): string | null {
  const host = parseHost(headers.host);
  if (!host || !isLoopbackName(host.hostname)) {
    return "an installation without sign-in answers only on localhost; use http://127.0.0.1 or http://localhost";
  }
  if (SAFE_METHODS.has(method)) return null;
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none")
    return "a page of another site may not change anything in this installation";
  const { origin } = headers;
  if (origin !== undefined && parseOrigin(origin)?.host !== host.host)
    return "a page of another origin may not change anything in this installation";
  return null;
}

function parseHost(host: string | undefined): URL | null {
  return host === undefined || /[/?#@\\]/.test(host) ? null : URL.parse(`http://${host}`);
}

function parseOrigin(origin: string): URL | null {
  return /^https?:/.test(origin) ? URL.parse(origin) : null;
}

export function isLoopbackName(hostname: string): boolean {
  if (hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]") return true;
  return isIPv4(hostname) && hostname.startsWith("127.");
}
