/** Exit 0 when the process in this container can take work. The image has no curl. */
const { SERVER_PORT } = process.env
const TIMEOUT_MS = 8_000

try {
  const url = `http://127.0.0.1:${SERVER_PORT || 3000}/readyz`
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  const text = await response.text()
  if (!response.ok) throw new Error(text)
} catch (error) {
  // Shown by `docker inspect`.
  console.error(error.message)
  process.exitCode = 1
}
