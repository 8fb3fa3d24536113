/* global db, rs, sleep, quit */
// Makes the set of one at the first start; then healthy means: it takes writes. The name in the set is the service's:
// a member by the container's name would be lost with the container. While the init scripts run there is no set yet,
// and so the container is not called healthy too early.
const NOT_YET_INITIALIZED = 94
try {
  rs.status()
} catch (error) {
  if (error.code === NOT_YET_INITIALIZED) {
    rs.initiate({ _id: 'rs0', members: [{ _id: 0, host: 'mongodb:27017' }] })
    for (let tries = 0; tries < 40 && !db.hello().isWritablePrimary; tries++) sleep(100)
  }
}
const { setName, isWritablePrimary } = db.hello()
quit(setName === 'rs0' && isWritablePrimary && db.adminCommand('ping').ok === 1 ? 0 : 1)
