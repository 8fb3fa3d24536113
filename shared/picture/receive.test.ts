import { expect, test } from 'vitest'
import { AVIF_PIXELS_MAX, INPUT_PIXELS_MAX } from '#shared/limits.ts'
import { testSettings } from '../../test/bindings.ts'
import { refusePixels } from './receive.ts'

test('one pixel too many is told apart from the limit', () => {
  const settings = testSettings()
  for (const [format, max, text] of [
    ['jpeg', INPUT_PIXELS_MAX, 'The image has 50,000,001 pixels; JPEG may have at most 50,000,000.'],
    ['avif', AVIF_PIXELS_MAX, 'The image has 16,000,001 pixels; AVIF may have at most 16,000,000.'],
  ] as const) {
    expect(() => refusePixels(max, format, settings)).not.toThrow()
    expect(() => refusePixels(max + 1, format, settings)).toThrow(text)
  }
})
