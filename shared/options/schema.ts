/** The options of a task, one schema for each: what the document shows and what is checked. */
import { z } from '@hono/zod-openapi'
import { METADATA_PAIRS_MAX, SIDE_MAX, SIDE_MIN, URL_CHARS_MAX, VARIANTS_MAX } from '#shared/limits.ts'
import { oneOf } from '#shared/parameters.ts'
import { FITS, OUTPUT_FORMATS, POSITIONS, VARIANT_NAME } from '#shared/variant.ts'

function integer(min: number, max: number) {
  const error = `Expected an integer from ${min} to ${max}`
  return z.int({ error }).min(min, { error }).max(max, { error })
}

const name = `Expected a name of 1 to 64 characters a-z, 0-9, _ and -, beginning with a letter or digit, not "original"`

export const VariantSchema = z.strictObject({
  name: z
    .string({ error: name })
    .regex(VARIANT_NAME, { error: name })
    .refine((value) => value !== 'original', { error: name })
    .optional()
    .meta({ description: 'Default: the box. Unique, never `original`.', examples: ['hero'] }),
  width: integer(SIDE_MIN, SIDE_MAX).nullish().meta({ description: 'Pixels of the box; one side may be left out.' }),
  height: integer(SIDE_MIN, SIDE_MAX).nullish(),
  fit: oneOf(FITS)
    .optional()
    .meta({ description: '`inside` keeps the whole picture, `cover` fills the box and crops. Default inside.' }),
  position: oneOf(POSITIONS).optional().meta({ description: 'What `cover` keeps. Default: the option `position`.' }),
  format: oneOf(OUTPUT_FORMATS).optional().meta({ description: 'Default: the option `format`.' }),
  quality: integer(1, 100).nullish().meta({ description: 'Default: the option `quality`.' }),
})

const url = `Expected a URL of at most ${URL_CHARS_MAX} characters`
export const UrlSchema = z
  .string({ error: url })
  .max(URL_CHARS_MAX, { error: url })
  .refine((value) => URL.canParse(value), { error: url })

export const METADATA = 'Expected a JSON object of strings'

/** Options other than `variants`, which has a grammar of its own. */
export const OPTION_SCHEMAS = {
  format: oneOf(OUTPUT_FORMATS).meta({
    description: 'Format of the variants; `auto` is webp where alpha is used, else jpeg.',
    default: 'jpeg',
  }),
  quality: integer(1, 100).meta({ description: 'Default: jpeg 80, webp 79, avif 60.', examples: [80] }),
  position: oneOf(POSITIONS).meta({ description: 'What a `cover` keeps of the picture.', default: 'centre' }),
  background: z.string({ error: 'Expected a CSS colour' }).meta({
    description: 'Colour behind alpha in a JPEG: `#rgb`, `#rrggbb` (write `%23` in a query) or a CSS colour name.',
    default: 'white',
    examples: ['#ffffff'],
  }),
  original: oneOf(['keep', 'discard']).meta({
    description: '`discard` removes the original once the task is completed.',
    default: 'keep',
  }),
  metadata: z.record(z.string(), z.string({ error: METADATA }), { error: METADATA }).meta({
    description: 'Up to 20 pairs of strings, 2 KiB together; comes back in the task, list filter and callback.',
    maxProperties: METADATA_PAIRS_MAX,
    examples: [{ album: 'summer' }],
  }),
  callbackUrl: UrlSchema.meta({
    description: 'Where the finished task is posted to, signed as Standard Webhooks.',
    format: 'uri',
    examples: ['https://example.com/hooks/revela'],
  }),
  access: oneOf(['signed', 'public']).meta({
    description: 'Whether links to the pictures need a signature. Default: signed where the server has keys.',
  }),
}

const ListSchema = z
  .array(z.union([z.string(), VariantSchema]))
  .min(1)
  .max(VARIANTS_MAX)

const VariantsSchema = z.union([z.string(), ListSchema]).meta({
  description:
    `Up to ${VARIANTS_MAX}: \`WxH\` fits inside, \`Wx\`, \`xH\`, \`WxH:cover\` fills and crops, or a name that the ` +
    `server defines; each side ${SIDE_MIN} to ${SIDE_MAX}. As text separated by commas, or a list.`,
  default: '1024x1024,800x800',
  examples: ['1024x1024,800x800', ['1600x', { name: 'hero', width: 1200, height: 400, fit: 'cover' }]],
})

export const OPTION_NAMES = ['variants', ...Object.keys(OPTION_SCHEMAS)] as const

/** The options as members of a JSON body. */
export const OPTION_MEMBERS = { variants: VariantsSchema.optional(), ...z.object(OPTION_SCHEMAS).partial().shape }

export const JsonBodySchema = z
  .strictObject({
    url: UrlSchema.optional().meta({
      description: 'Where the image is fetched from: http or https, a public address.',
      format: 'uri',
      examples: ['https://example.com/cat.jpg'],
    }),
    taskId: z.string().optional().meta({ description: 'A task whose stored original is used anew.' }),
    ...OPTION_MEMBERS,
  })
  .meta({
    description: 'Exactly one of `url` and `taskId`, and the options.',
    oneOf: [{ required: ['url'] }, { required: ['taskId'] }],
  })
