// Runs a process's services until it is told to stop: the first SIGINT or SIGTERM stops them in order, a second one, or a
// minute, ends the process at once. An error that nobody caught ends it too, so that it is restarted rather than half alive.

import type { Logger } from "./log.ts";
import type { Service } from "./service.ts";

const STOP_LIMIT_MS = 60_000;

/** Resolves when `service` has stopped after a signal; rejects when it cannot start. */
export async function runUntilSignal(service: Service, log: Logger, onStarted: () => void = () => {}): Promise<void> {
  const signalled = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => resolve(signal));
    }
  });
  const started = service.start();
  const first = await Promise.race([started.then(() => null), signalled]);
  if (first === null) onStarted();
  const signal = first ?? (await signalled);
  log.info({ signal }, "stopping");
  for (const again of ["SIGINT", "SIGTERM"] as const) process.once(again, () => process.exit(130));
  setTimeout(() => {
    log.error("did not stop within a minute");
    process.exit(1);
  }, STOP_LIMIT_MS).unref();
  await started.catch(() => {});
  await service.stop();
}
