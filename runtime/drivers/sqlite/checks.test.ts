import { expect, test } from 'vitest'
import { fileSystemRefusal, versionRefusal } from './checks.ts'

test.each(['3.51.2', '3.51.1', '3.50.99', '3.46.0', '2.99.99', ''])('SQLite %s is refused', (version) => {
  expect(versionRefusal(version)).toContain('3.51.3 or newer')
})

test.each(['3.51.3', '3.52.0', '3.53.4', '4.0.0', '3.100.0'])('SQLite %s is used', (version) => {
  expect(versionRefusal(version)).toBeNull()
})

test.each([
  ['nfs', 0x6969],
  ['cifs', 0xff534d42],
  ['cifs', 0xff534d42 | 0],
  ['smb2', 0xfe534d42],
  ['9p', 0x01021997],
  ['fuse', 0x65735546],
])('%s is refused, and the folder and the way out are named', (name, type) => {
  const refusal = fileSystemRefusal(type, '/data', 'linux')
  expect(refusal).toContain(`/data is on a ${name}`)
  expect(refusal).toContain('SQLITE_FILE')
  expect(refusal).toContain('a volume, not a bind mount')
})

test.each([
  ['ext4', 0xef53],
  ['xfs', 0x58465342],
  ['btrfs', 0x9123683e],
  ['tmpfs', 0x01021994],
  ['overlayfs', 0x794c7630],
  ['zfs', 0x2fc12fc1],
])('%s is used', (_name, type) => {
  expect(fileSystemRefusal(type, '/data', 'linux')).toBeNull()
})

test('the numbers mean something on Linux only', () => {
  expect(fileSystemRefusal(0x6969, '/data', 'darwin')).toBeNull()
})
