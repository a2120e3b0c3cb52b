// Many calls, a few at a time.

/** Rejects with the first failure, once the calls under way have ended; the rest are not begun. */
export async function forEachLimited<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  let failed: { error: unknown } | null = null;
  const lane = async () => {
    for (const item of queue) {
      if (failed !== null) return;
      try {
        await work(item);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  // The closure above assigns it, which the compiler does not follow.
  const failure = failed as { error: unknown } | null;
  if (failure !== null) throw failure.error;
}
