import { TOOL_NAME } from './contender.ts'

/** The names of so many tools; the first is the one that is called. */
export function toolNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => (index === 0 ? TOOL_NAME : `listPart${index}OfItem`))
}

/** An OpenAPI document with so many operations: `getItem`, and reads of its parts with four parameters each. */
export function openApiDocument(server: string, count: number) {
  const id = { name: 'id', in: 'path', required: true, schema: { type: 'string' } }
  const responses = { 200: { description: 'Found.' } }
  const query = [
    {
      name: 'limit',
      in: 'query',
      description: 'At most so many.',
      schema: { type: 'integer', minimum: 1, maximum: 100 },
    },
    { name: 'sort', in: 'query', schema: { type: 'string', enum: ['name', 'price', 'createdAt'] } },
    { name: 'tags', in: 'query', schema: { type: 'array', items: { type: 'string' } } },
  ]
  const operations = toolNames(count).map((operationId, index) => [
    index === 0 ? '/items/{id}' : `/items/{id}/parts-${index}`,
    {
      get: {
        operationId,
        summary: index === 0 ? 'One item' : `Part ${index} of an item, as a list with a limit, an order and tags`,
        parameters: index === 0 ? [id] : [id, ...query],
        responses,
      },
    },
  ])
  return {
    openapi: '3.1.0',
    info: { title: 'Bench', version: '1' },
    servers: [{ url: server }],
    paths: Object.fromEntries(operations),
  }
}
