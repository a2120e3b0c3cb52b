// One way to start and stop: everything that runs in the background is a Service, and a process is a list of them.
// start() resolves when the service does its work; stop() resolves when it has let go of everything, and may be
// called twice, before start, or while starting. A start that fails stops what was started before it.

export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts in order, stops in reverse order. */
export function combineServices(name: string, services: readonly Service[]): Service {
  const started: Service[] = [];
  const stop = async () => {
    const errors: unknown[] = [];
    for (let service = started.pop(); service; service = started.pop()) {
      await service.stop().catch((error: unknown) => errors.push(error));
    }
    if (errors.length > 0) throw new AggregateError(errors, `${name}: ${errors.length} services failed to stop`);
  };
  return {
    name,
    start: async () => {
      for (const service of services) {
        started.push(service);
        try {
          await service.start();
        } catch (error) {
          await stop().catch(() => {});
          throw error;
        }
      }
    },
    stop,
  };
}

/** Starts all at once, and stops all at once. */
export function joinServices(name: string, services: readonly Service[]): Service {
  return {
    name,
    start: async () => void (await Promise.all(services.map((service) => service.start()))),
    stop: async () => {
      const ends = await Promise.allSettled(services.map((service) => service.stop()));
      const errors = ends.flatMap((end) => (end.status === "rejected" ? [end.reason as unknown] : []));
      if (errors.length > 0) throw new AggregateError(errors, `${name}: ${errors.length} services failed to stop`);
    },
  };
}
