// A pod's event beside what is known of the pod anyway.

/** What the sentence says already is not said again; `event` begins with its reason. */
export function isEventSaid(said: string, event: string): boolean {
  const message = event.slice(event.indexOf(": ") + 2);
  // A waiting container has the cause of a failed pull alone.
  const cause = message.replace(/^Failed to pull image "[^"]*": /, "").replace(/…$/, "");
  return said.includes(cause);
}
