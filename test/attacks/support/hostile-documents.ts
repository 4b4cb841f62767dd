/** Where an operation’s parts are looked for; `url` is where its API is. */
const head = (url: string) => ({ openapi: '3.1.0', info: { title: 'T', version: '1' }, servers: [{ url }] })
const REFERENCE = { $ref: '#/components/schemas/S0' }

/** Descriptions that are made to take too long, or too much, by whoever reads them. Each is built when it is asked for. */
export const HOSTILE_DOCUMENTS = {
  /** Nine levels of nine aliases each: 400 million values. */
  'alias bomb': () =>
    `openapi: 3.1.0\na: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghi']
      .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`)}]`)
      .join('\n')}`,
  'merge bomb': () =>
    `openapi: 3.1.0\na0: &a0 {${Array.from({ length: 50 }, (_, key) => `k${key}: 1`)}}\n${Array.from(
      { length: 40 },
      (_, level) => `a${level + 1}: &a${level + 1}\n  <<: *a${level}\n  x: [*a${level}, *a${level}]`,
    ).join('\n')}`,
  'an alias inside its own anchor': () => 'openapi: 3.1.0\na: &a [*a]',
  'an anchor for every value': () =>
    `openapi: 3.1.0\nx:\n${Array.from({ length: 50_000 }, (_, index) => `- &a${index} x\n- *a${index}\n`).join('')}`,
  'open brackets in YAML': () => `openapi: 3.1.0\nx: ${'['.repeat(1_000_000)}`,
  'levels of YAML': () =>
    `openapi: 3.1.0\n${Array.from({ length: 1_500 }, (_, at) => `${' '.repeat(at)}a:`).join('\n')}`,
  'a million brackets in JSON': (url: string) =>
    `${JSON.stringify(head(url)).slice(0, -1)},"paths":{"/a":{"get":{}}},"x":${'['.repeat(1e6)}${']'.repeat(1e6)}}`,
  'schemas a hundred thousand deep': (url: string) =>
    `${JSON.stringify(head(url)).slice(0, -1)},"paths":{"/a":{"post":{"requestBody":{"content":{"application/json":{"schema":${'{"properties":{"a":'.repeat(1e5)}{}${'}}'.repeat(1e5)}}}}}}}}`,
  /** Just under the limit of 50 MB. */
  'a million elements': (url: string) =>
    JSON.stringify({ ...head(url), paths: { '/a': { get: {} } }, 'x-a': Array(1_000_000).fill('x'.repeat(46)) }),
  '100,000 operations': (url: string) => JSON.stringify({ ...head(url), paths: operations(100_000, () => ({})) }),
  /** 2 MB whose list of tools would have more than a gigabyte. */
  'one schema for all operations': (url: string) => {
    const parameters = [{ name: 'a', in: 'query', schema: REFERENCE }]
    return JSON.stringify({ ...head(url), paths: operations(20_000, () => ({ parameters })), ...chain(1_500, 'items') })
  },
  /** Short enough to be read where calls are served, if that is thought cheap. */
  'one body for all operations': (url: string) => {
    const properties = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`p${index}`, {}]))
    const requestBody = { content: { 'application/json': { schema: { type: 'object', properties } } } }
    const paths = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`/${index}`, { $ref: '#/x' }]))
    return JSON.stringify({ ...head(url), paths, x: { post: { requestBody } } })
  },
  'references in a long chain': (url: string) => {
    const parameters = [{ name: 'a', in: 'query', schema: REFERENCE }]
    return JSON.stringify({ ...head(url), paths: operations(500, () => ({ parameters })), ...chain(30_000, '$ref') })
  },
} as const satisfies Readonly<Record<string, (url: string) => string>>

export type HostileDocument = keyof typeof HOSTILE_DOCUMENTS

function operations(count: number, operation: (index: number) => object): Record<string, unknown> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`/p${index}`, { get: operation(index) }]))
}

/** Schemas that each refer to the next. */
function chain(length: number, by: '$ref' | 'items'): object {
  const next = (index: number) => ({ $ref: `#/components/schemas/S${index + 1}` })
  const schemas = Array.from({ length }, (_, index) => [
    `S${index}`,
    by === '$ref' ? next(index) : { items: next(index) },
  ])
  return { components: { schemas: { ...Object.fromEntries(schemas), [`S${length}`]: {} } } }
}
