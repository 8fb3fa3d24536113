/**
 * `act`, one at a time for each key, shared by all who ask before it begins. Whoever asks while one runs is served by
 * the next: the one that runs may have begun before what they want it to see.
 */
export function together<Key>(act: (key: Key) => Promise<void>): (key: Key) => Promise<void> {
  const running = new Map<Key, Promise<void>>()
  const next = new Map<Key, Promise<void>>()
  const begin = (key: Key): Promise<void> => {
    const acting = act(key).finally(() => running.delete(key))
    running.set(key, acting)
    return acting
  }
  const beginAfter = async (key: Key, before: Promise<void>): Promise<void> => {
    await before.catch(() => {})
    next.delete(key)
    await begin(key)
  }
  return async (key) => {
    const joined = next.get(key)
    if (joined) return await joined
    const before = running.get(key)
    if (!before) return await begin(key)
    const own = beginAfter(key, before)
    next.set(key, own)
    await own
  }
}
