import { describe, expect, test } from 'vitest'
import { METADATA_BYTES_MAX, METADATA_PAIRS_MAX, URL_CHARS_MAX } from '#shared/limits.ts'
import { gatherFaults } from './faults.ts'
import { normalise } from './options.ts'
import { testSettings } from '../../test/bindings.ts'
import { json, problem, text } from './asking.fixture.ts'

test('the defaults', () => {
  const box = { fit: 'inside', position: 'centre', format: 'jpeg', quality: null }
  expect(json({})).toEqual({
    options: {
      variants: [
        { name: '1024x1024', width: 1024, height: 1024, ...box },
        { name: '800x800', width: 800, height: 800, ...box },
      ],
      format: 'jpeg',
      background: '#ffffff',
      original: 'keep',
      access: 'public',
    },
    metadata: {},
    callbackUrl: null,
  })
})

test('links are signed by default where the server has keys', () => {
  const faults = gatherFaults('text')
  expect(normalise(new Map(), testSettings({ keyed: true }), faults).options.access).toBe('signed')
})

describe('the other options', () => {
  test('quality', () => {
    expect(text(['quality', '1']).options.variants[0]?.quality).toBe(1)
    expect(text(['quality', '100']).options.variants[0]?.quality).toBe(100)
    for (const quality of ['0', '101', '-1', '8.5', 'high', '', ' 5', '1e1', '0x10']) {
      expect(problem(() => text(['quality', quality])).errors).toMatchObject([{ pointer: 'quality' }])
    }
    expect(problem(() => json({ quality: '80' })).message).toContain('got "80"')
  })

  test('a choice tells what may be chosen and what came', () => {
    expect(problem(() => text(['format', 'gif'])).errors).toEqual([
      { pointer: 'format', detail: 'Expected one of jpeg, webp, avif, png, auto, got "gif".' },
    ])
    for (const name of ['format', 'position', 'original', 'access']) {
      for (const value of ['', 'nope', 'JPEG']) {
        expect(problem(() => text([name, value])).errors).toMatchObject([{ pointer: name }])
      }
      expect(problem(() => json({ [name]: null })).errors).toMatchObject([{ pointer: `/${name}` }])
    }
    expect(text(['format', 'auto'], ['original', 'discard'], ['access', 'signed']).options).toMatchObject({
      format: 'auto',
      original: 'discard',
      access: 'signed',
    })
  })

  test.each([
    ['#FFF', '#ffffff'],
    ['#1a2', '#11aa22'],
    ['#A0b1C2', '#a0b1c2'],
    ['white', '#ffffff'],
    ['RebeccaPurple', '#663399'],
    ['aliceblue', '#f0f8ff'],
    ['yellowgreen', '#9acd32'],
  ])('background %s is %s', (asked, colour) => {
    expect(text(['background', asked]).options.background).toBe(colour)
  })

  test.each(['', '#ffff', '#ffffff80', 'fff', 'rgb(0,0,0)', 'transparent', 'nocolour', '#ggg'])(
    'background %j is refused',
    (asked) => {
      expect(problem(() => text(['background', asked])).errors).toMatchObject([{ pointer: 'background' }])
    },
  )

  test('metadata as JSON text and as an object', () => {
    expect(text(['metadata', '{"album":"summer"}']).metadata).toEqual({ album: 'summer' })
    expect(json({ metadata: { album: 'summer' } }).metadata).toEqual({ album: 'summer' })
  })

  test.each([
    '',
    'album',
    '[]',
    '"x"',
    '5',
    'null',
    '{"a":1}',
    '{"a":null}',
    '{"a":{"b":"c"}}',
    '{"":"x"}',
    '{"__proto__":"x"}',
    '{"a":"b"',
  ])('metadata %s is refused', (asked) => {
    expect(problem(() => text(['metadata', asked])).errors).toMatchObject([{ pointer: 'metadata' }])
  })

  test('the edges of metadata', () => {
    const pairs = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']))
    expect(Object.keys(json({ metadata: pairs(METADATA_PAIRS_MAX) }).metadata)).toHaveLength(METADATA_PAIRS_MAX)
    expect(problem(() => json({ metadata: pairs(METADATA_PAIRS_MAX + 1) })).message).toContain('got 21')
    // Two bytes each in UTF-8: characters are not what is counted.
    expect(json({ metadata: { ab: 'ä'.repeat(METADATA_BYTES_MAX / 2 - 1) } }).metadata['ab']).toHaveLength(1_023)
    expect(problem(() => json({ metadata: { abc: 'ä'.repeat(METADATA_BYTES_MAX / 2 - 1) } })).message).toContain(
      'got 2049',
    )
  })

  test('callbackUrl', () => {
    const url = (chars: number) => `https://example.com/${'a'.repeat(chars - 20)}`
    expect(json({ callbackUrl: url(URL_CHARS_MAX) }).callbackUrl).toHaveLength(URL_CHARS_MAX)
    for (const asked of [url(URL_CHARS_MAX + 1), 'example.com', '', '/hook', 5]) {
      expect(problem(() => json({ callbackUrl: asked })).errors).toMatchObject([{ pointer: '/callbackUrl' }])
    }
  })
})

test('an unknown option is named, and so are all of them', () => {
  const refused = problem(() =>
    text(['size', '5'], ['format', 'gif'], ['__proto__', '5'], ['url', 'https://example.com']),
  )
  expect(refused.code).toBe('invalid-request')
  expect(refused.errors?.map(({ pointer }) => pointer)).toEqual(['size', '__proto__', 'url', 'format'])
  expect(refused.message).toContain('Unknown option "size"')
})

test('an option that is given twice is refused, were it twice the same', () => {
  expect(problem(() => text(['format', 'webp'], ['format', 'webp'])).errors).toEqual([
    { pointer: 'format', detail: 'Expected one value, got more than one.' },
  ])
})
