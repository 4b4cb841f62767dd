/** How a body of some content type is made from arguments. `bytes` are given in base64. */
export type BodyFormat = 'json' | 'form' | 'multipart' | 'text' | 'bytes'

const formats: readonly { readonly format: BodyFormat; readonly matches: RegExp }[] = [
  { format: 'json', matches: /^(?:application|text)\/(?:[\w.+-]+\+)?json$/ },
  { format: 'form', matches: /^application\/x-www-form-urlencoded$/ },
  { format: 'multipart', matches: /^multipart\/form-data$/ },
  {
    format: 'text',
    matches: /^text\/|^application\/(?:[\w.+-]+[+.-])?(?:xml|yaml|csv|javascript|graphql|jwt|jose|sql|ndjson|jsonl)$/,
  },
  // Their parts would have to be described one by one: nobody does.
  { format: 'bytes', matches: /^(?!multipart\/)/ },
]

/** The format of a content type in small letters, without parameters; undefined when it cannot be sent. */
export function formatOf(contentType: string): BodyFormat | undefined {
  if (!isConcrete(contentType)) return undefined
  return formats.find(({ matches }) => matches.test(contentType))?.format
}

/** The type without its parameters: `application/json; charset=utf-8` is JSON. */
export function mediaType(name: string): string {
  return (name.slice(0, 200).split(';', 1)[0] ?? '').trim().toLowerCase()
}

/** Whether the text is one type, and nothing that would begin another header (RFC 9110 §8.3.1). */
export function isConcrete(contentType: string): boolean {
  return /^[a-z0-9!#$&^_.+-]{1,100}\/[a-z0-9!#$&^_.+-]{1,100}$/.test(contentType)
}

/** Ranges that authors write where a type should stand, and what is sent for them. */
const ranges: readonly { readonly matches: RegExp; readonly contentType: string }[] = [
  { matches: /^(?:\*|application)\/\*$/, contentType: 'application/json' },
  { matches: /^text\/\*$/, contentType: 'text/plain' },
  { matches: /^(?:image|audio|video|font|model)\/\*$/, contentType: 'application/octet-stream' },
]

/** The best first: what a model writes with the fewest mistakes. */
const preferred = [
  /^application\/json$/,
  /^(?:\*|application)\/\*$/,
  /^application\/merge-patch\+json$/,
  ...formats.map(({ matches }) => matches),
]

/** The content type to send of those that a document offers, as `name`, or undefined when none of them can be sent. */
export function chooseContentType(
  names: readonly string[],
): { readonly name: string; readonly contentType: string; readonly format: BodyFormat } | undefined {
  const offered = names.flatMap((name) => {
    const type = mediaType(name)
    const contentType = ranges.find(({ matches }) => matches.test(type))?.contentType ?? type
    const format = formatOf(contentType)
    return format ? [{ name, type, contentType, format }] : []
  })
  for (const matches of preferred) {
    const found = offered.find(({ type }) => matches.test(type))
    if (found) return { name: found.name, contentType: found.contentType, format: found.format }
  }
  return undefined
}
