/* global db */
// Run once by mongosh, on an empty data folder. The application's user reads and writes one database and nothing else.
db.getSiblingDB('imagedb').createUser({
  user: 'revela',
  pwd: process.env.MONGO_APP_PASSWORD,
  roles: [{ role: 'readWrite', db: 'imagedb' }],
})
