/** The folders of the product; what is in test/ and infra/ is about it. */
export const PRODUCT = ['functions', 'shared', 'runtime', 'stacks', 'console', 'telemetry', 'cli', 'build']
