// Slows down guessing: after a few failures within a window an address has to wait until the window ends. Memory is
// bounded; when it is full the oldest window is forgotten first.

import { isIPv6 } from "node:net";

const MAX_FAILURES = 10;
const WINDOW_MS = 60_000;
const MAX_ADDRESSES = 10_000;

export interface FailureLimiter {
  /** Milliseconds that this address has to wait; 0: go on. */
  waitOf(address: string, nowMs: number): number;
  recordFailure(address: string, nowMs: number): void;
}

export function createFailureLimiter(maxAddresses = MAX_ADDRESSES): FailureLimiter {
  const windows = new Map<string, { failures: number; endsAt: number }>();
  const current = (key: string, nowMs: number) => {
    const window = windows.get(key);
    if (window && window.endsAt <= nowMs) windows.delete(key);
    return windows.get(key);
  };
  return {
    waitOf: (address, nowMs) => {
      const window = current(groupAddress(address), nowMs);
      return window && window.failures >= MAX_FAILURES ? window.endsAt - nowMs : 0;
    },
    recordFailure: (address, nowMs) => {
      const key = groupAddress(address);
      const window = current(key, nowMs);
      if (window) {
        window.failures += 1;
        return;
      }
      windows.set(key, { failures: 1, endsAt: nowMs + WINDOW_MS });
      if (windows.size <= maxAddresses) return;
      // All windows are equally long, so insertion order is the order in which they end.
      const oldest = windows.keys().next();
      if (!oldest.done) windows.delete(oldest.value);
    },
  };
}

/** One customer gets a whole /64 of IPv6: its addresses count as one. */
function groupAddress(address: string): string {
  if (!isIPv6(address) || address.includes(".")) return address;
  const [head = "", tail] = address.split("::", 2);
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0");
  return [...left, ...zeros, ...right].slice(0, 4).join(":");
}
