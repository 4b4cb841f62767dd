import * as z from 'zod'
import { problemAnswer } from './contract.ts'
import { openRoute, type Route } from './routes.ts'

/** These routes, and the one that describes them all. */
export function withDescription(routes: readonly Route[], version: string): readonly Route[] {
  // Made once: it is the same for everybody, it holds everything up for as long as hundreds of calls, and strangers may ask for it.
  let description: Record<string, unknown> | undefined
  const describe: Route = openRoute({
    method: 'GET',
    path: '/api/openapi.json',
    summary: 'Describe this API',
    needs: 'nobody',
    status: 200,
    handle: async () => {
      description ??= describeApi([...routes, describe], version)
      return description
    },
  })
  return [...routes, describe]
}

/** The description of `/api`, made from its table of routes: OpenAPI 3.1. */
export function describeApi(routes: readonly Route[], version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {}
  const schemas: Schemas = {}
  for (const route of routes) {
    const path = paths[route.path] ?? {}
    paths[route.path] = path
    path[route.method.toLowerCase()] = describeRoute(route, schemas)
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Gatehouse management API', version },
    paths,
    components: {
      schemas,
      securitySchemes: {
        admin: { type: 'http', scheme: 'bearer', description: 'The key in admin.key.' },
        person: { type: 'http', scheme: 'bearer', description: 'The token of POST /api/sign-in.' },
      },
    },
    security: [{ admin: [] }, { person: [] }],
  }
}

/** Schemas that have a name, by it. */
type Schemas = Record<string, unknown>

function describeRoute(route: Route, schemas: Schemas): Record<string, unknown> {
  return {
    operationId: operationId(route),
    summary: route.summary,
    'x-gatehouse-needs': route.needs,
    ...securityOf(route.needs),
    parameters: [...pathParameters(route.path), ...queryParameters(route.query, schemas), ...accountParameter(route)],
    ...(route.body === undefined ? {} : { requestBody: describeBody(route.body, schemas) }),
    responses: {
      [route.status]: {
        description: 'Done.',
        ...(route.answer === undefined ? {} : { content: json(schemaOf(route.answer, 'output', schemas)) }),
      },
      default: {
        description: 'What went wrong.',
        content: { 'application/problem+json': { schema: schemaOf(problemAnswer, 'output', schemas) } },
      },
    },
  }
}

function describeBody(body: z.ZodType, schemas: Schemas): Record<string, unknown> {
  return { required: !body.safeParse(undefined).success, content: json(schemaOf(body, 'input', schemas)) }
}

function operationId({ method, path }: Route): string {
  const words = path
    .split('/')
    .slice(2)
    .flatMap((part) => part.split('-'))
    .map((part) => part.replace(/[{}]/g, '').replace(/\.json$/, ''))
  return [method.toLowerCase(), ...words].map((word, index) => (index === 0 ? word : capital(word))).join('')
}

function securityOf(needs: Route['needs']): Record<string, unknown> {
  if (needs === 'nobody') return { security: [] }
  return needs === 'operator' ? { security: [{ admin: [] }] } : {}
}

/** Where no path names it: which account a call is about. */
function accountParameter({ needs, path }: Route): unknown[] {
  if (needs === 'nobody' || needs === 'sign_in' || path.includes('{account}')) return []
  const description = 'Id or slug. Default: your only one; with the admin key, the default account.'
  return [{ name: 'X-Gatehouse-Account', in: 'header', required: false, description, schema: { type: 'string' } }]
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}

function pathParameters(path: string): unknown[] {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
  return names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
}

function queryParameters(query: z.ZodType | undefined, schemas: Schemas): unknown[] {
  if (query === undefined) return []
  const { properties } = schemaOf(query, 'input', schemas)
  if (typeof properties !== 'object' || properties === null) return []
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', schema }))
}

/** The schema; those with a name go into `schemas` and are referred to, so that no schema carries definitions of its own. */
function schemaOf(type: z.ZodType, io: 'input' | 'output', schemas: Schemas): Record<string, unknown> {
  const text = JSON.stringify(z.toJSONSchema(type, { io, unrepresentable: 'any', reused: 'inline' }))
  const { $schema, $defs, ...schema } = jsonSchema.parse(
    JSON.parse(text.replaceAll('"#/$defs/', '"#/components/schemas/')),
  )
  Object.assign(schemas, $defs)
  return schema
}

const jsonSchema = z.looseObject({ $schema: z.unknown(), $defs: z.record(z.string(), z.unknown()).optional() })

function json(schema: unknown): Record<string, unknown> {
  return { 'application/json': { schema } }
}
