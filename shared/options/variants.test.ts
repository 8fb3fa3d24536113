import { describe, expect, test } from 'vitest'
import { SIDE_MAX, VARIANTS_MAX } from '#shared/limits.ts'
import { type Asked } from './options.ts'
import { json, problem, text } from './asking.fixture.ts'

const named = (asked: Asked) => asked.options.variants.map(({ name }) => name)

describe('variants', () => {
  test('every form of the grammar, with its name', () => {
    const asked = text(['variants', '1024x768, 800x,x600,300x200:cover,thumb,wide']).options.variants
    expect(asked).toMatchObject([
      { name: '1024x768', width: 1024, height: 768, fit: 'inside' },
      { name: '800x', width: 800, height: null, fit: 'inside' },
      { name: 'x600', width: null, height: 600, fit: 'inside' },
      { name: '300x200-cover', width: 300, height: 200, fit: 'cover', position: 'centre' },
      { name: 'thumb', width: 200, height: 200, fit: 'cover' },
      { name: 'wide', width: 1600, height: null, fit: 'inside' },
    ])
  })

  test('position, format and quality go to those that name none of their own', () => {
    const { variants } = json({
      variants: [
        '9x9:cover',
        { name: 'own', width: 9, height: 9, fit: 'cover', position: 'entropy', format: 'png', quality: 7 },
      ],
      position: 'attention',
      format: 'avif',
      quality: 50,
    }).options
    expect(variants).toMatchObject([
      { name: '9x9-cover-attention', position: 'attention', format: 'avif', quality: 50 },
      { name: 'own', position: 'entropy', format: 'png', quality: 7 },
    ])
  })

  test('text and objects give the same', () => {
    expect(json({ variants: '800x,10x10:cover' })).toEqual(
      json({ variants: [{ width: 800 }, { width: 10, height: 10, fit: 'cover' }] }),
    )
    expect(json({ variants: ['800x'] })).toEqual(text(['variants', '800x']))
    expect(json({ variants: [{ width: 8, height: null, quality: null }] })).toEqual(json({ variants: ['8x'] }))
  })

  test('a repeated field adds to the list', () => {
    expect(named(text(['variants', '800x'], ['variants', '600x,x10']))).toEqual(['800x', '600x', 'x10'])
  })

  test('the edges of sides and number', () => {
    expect(named(text(['variants', `1x1,${SIDE_MAX}x${SIDE_MAX}`]))).toHaveLength(2)
    const boxes = (count: number) => Array.from({ length: count }, (_, index) => `${index + 1}x`)
    expect(named(json({ variants: boxes(VARIANTS_MAX) }))).toHaveLength(VARIANTS_MAX)
    const refused = problem(() => json({ variants: boxes(VARIANTS_MAX + 1) }))
    expect(refused.errors).toEqual([{ pointer: '/variants', detail: 'Expected 1 to 16 variants, got 17.' }])
  })

  test.each([
    '',
    'x',
    '0x10',
    '10x0',
    '010x10',
    '800',
    '-1x5',
    '1.5x2',
    '10X10',
    '8193x10',
    '10x8193',
    '99999x1',
    '100000x1',
    '10x10:contain',
    '800x:cover',
    'x600:cover',
    'nope',
    'constructor',
    '__proto__',
    '10x10,',
    '10x10,,5x',
    '../../etc',
    '10x10:cover:cover',
  ])('%j is refused', (variants) => {
    expect(problem(() => text(['variants', variants])).errors).toMatchObject([{ pointer: 'variants' }])
  })

  test.each([
    [{ width: 0 }, '/variants/0/width'],
    [{ width: SIDE_MAX + 1 }, '/variants/0/width'],
    [{ width: 1.5 }, '/variants/0/width'],
    [{ width: '800' }, '/variants/0/width'],
    [{}, '/variants/0'],
    [{ width: null, height: null }, '/variants/0'],
    [{ width: 5, fit: 'cover' }, '/variants/0'],
    [{ width: 5, fit: 'fill' }, '/variants/0/fit'],
    [{ width: 5, position: 'top' }, '/variants/0/position'],
    [{ width: 5, format: 'gif' }, '/variants/0/format'],
    [{ width: 5, quality: 101 }, '/variants/0/quality'],
    [{ width: 5, name: 'original' }, '/variants/0/name'],
    [{ width: 5, name: 'Big' }, '/variants/0/name'],
    [{ width: 5, name: '' }, '/variants/0/name'],
    [{ width: 5, name: 'a'.repeat(65) }, '/variants/0/name'],
    [{ width: 5, name: '../x' }, '/variants/0/name'],
    [{ width: 5, 'a/b~c': 1 }, '/variants/0/a~1b~0c'],
    [5, '/variants/0'],
    [null, '/variants/0'],
    [['800x'], '/variants/0'],
  ])('%j is refused at %s', (variant, pointer) => {
    expect(problem(() => json({ variants: [variant] })).errors).toMatchObject([{ pointer }])
  })

  test('a name of 64 characters', () => {
    expect(named(json({ variants: [{ width: 5, name: 'a'.repeat(64) }] }))).toEqual(['a'.repeat(64)])
  })

  test('names are unique', () => {
    expect(problem(() => json({ variants: ['8x', { width: 8, format: 'webp' }] })).errors).toEqual([
      { pointer: '/variants/1', detail: 'Expected unique names, got "8x" twice.' },
    ])
    expect(
      named(json({ variants: ['8x8', '8x8:cover', { width: 8, height: 8, name: 'webp', format: 'webp' }] })),
    ).toHaveLength(3)
  })

  test.each([[[]], [5], [null], [{ width: 5 }]])('%j is no list', (variants) => {
    expect(problem(() => json({ variants })).errors).toMatchObject([{ pointer: '/variants' }])
  })

  test('an unknown name is told which names there are', () => {
    expect(problem(() => text(['variants', 'tumb'])).message).toContain('none of thumb, wide')
  })
})
