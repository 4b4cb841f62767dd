import type { TestApiMode } from './admission.ts'
import { LIST_LIMIT_MAX, TEXT_LENGTH_MAX } from './routes.ts'

/** The OpenAPI 3.1 document of the test API, for the mode it runs in. */
export function openapiDocument({ origin, mode }: { origin: string; mode: TestApiMode }) {
  const scheme = securitySchemes(origin)[mode]
  return {
    openapi: '3.1.0',
    info: {
      title: 'Gatehouse test API',
      version: '1.0.0',
      description: 'A small shop to try Gatehouse with. Everything is kept in memory.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: origin, description: 'This process' }],
    ...(scheme ? { security: [{ [mode]: [] }] } : { security: [] }),
    tags: [{ name: 'items' }, { name: 'people' }, { name: 'stats' }],
    paths: paths(mode),
    components: { schemas, ...(scheme && { securitySchemes: { [mode]: scheme } }) },
  }
}

function securitySchemes(origin: string) {
  return {
    none: undefined,
    apikey: { type: 'apiKey', in: 'header', name: 'X-Api-Key', description: 'A fixed key, printed at the start.' },
    bearer: { type: 'http', scheme: 'bearer', description: 'A fixed token, printed at the start.' },
    jwt: {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description: `Sign in at ${origin}/auth/login with username and password; renew at ${origin}/auth/refresh.`,
    },
  } as const
}

function paths(mode: TestApiMode) {
  const unauthorized = mode === 'none' ? {} : { '401': failure('The credential is missing or not valid.') }
  return {
    '/api/items': {
      get: {
        operationId: 'listItems',
        tags: ['items'],
        summary: 'List items',
        description: 'Returns the items of the shop, oldest first.',
        parameters: [
          {
            name: 'search',
            in: 'query',
            description: 'Only items whose name has this in it, whatever the case.',
            schema: { type: 'string' },
            example: 'lamp',
          },
          {
            name: 'limit',
            in: 'query',
            description: 'How many items at most.',
            schema: { type: 'integer', minimum: 1, maximum: LIST_LIMIT_MAX, default: LIST_LIMIT_MAX },
          },
        ],
        responses: {
          '200': success('The items.', { $ref: '#/components/schemas/ItemList' }),
          '400': failure('The limit is out of range.'),
          ...unauthorized,
        },
      },
      post: {
        operationId: 'createItem',
        tags: ['items'],
        summary: 'Create an item',
        description: 'Adds an item to the shop and returns it with its id.',
        requestBody: {
          required: true,
          content: { 'application/json': { schema: { $ref: '#/components/schemas/NewItem' } } },
        },
        responses: {
          '201': success('The new item.', { $ref: '#/components/schemas/Item' }),
          '400': failure('The name is missing, or a field has the wrong type.'),
          '409': failure('The shop is full.'),
          ...unauthorized,
        },
      },
    },
    '/api/items/{id}': {
      delete: {
        operationId: 'deleteItem',
        tags: ['items'],
        summary: 'Delete an item',
        description: 'Removes one item for good.',
        parameters: [
          {
            name: 'id',
            in: 'path',
            required: true,
            description: 'The id of the item, as listItems shows it.',
            schema: { type: 'integer', minimum: 1 },
            example: 1,
          },
        ],
        responses: {
          '200': success('The item is gone.', { $ref: '#/components/schemas/Deleted' }),
          '404': failure('There is no such item.'),
          ...unauthorized,
        },
      },
    },
    '/api/users': {
      get: {
        operationId: 'listUsers',
        tags: ['people'],
        summary: 'List users',
        description: 'Returns the people who can sign in, without their passwords.',
        responses: { '200': success('The people.', { $ref: '#/components/schemas/UserList' }), ...unauthorized },
      },
    },
    '/api/stats': {
      get: {
        operationId: 'getStats',
        tags: ['stats'],
        summary: 'Show statistics',
        description: 'Returns some numbers, and who asked for them.',
        responses: { '200': success('The numbers.', { $ref: '#/components/schemas/Stats' }), ...unauthorized },
      },
    },
  }
}

function success(description: string, schema: { readonly $ref: string }) {
  return { description, content: { 'application/json': { schema } } }
}

function failure(description: string) {
  return success(description, { $ref: '#/components/schemas/Error' })
}

const itemTexts = {
  name: { type: 'string', minLength: 1, maxLength: TEXT_LENGTH_MAX, description: 'What it is called.' },
  description: { type: 'string', maxLength: TEXT_LENGTH_MAX, description: 'What it is like.' },
  price: { type: 'number', minimum: 0, description: 'In euros.' },
} as const

const schemas = {
  NewItem: { type: 'object', required: ['name'], properties: itemTexts },
  Item: {
    type: 'object',
    required: ['id', 'name', 'description', 'price', 'createdAt'],
    properties: { id: { type: 'integer' }, ...itemTexts, createdAt: { type: 'string', format: 'date-time' } },
  },
  ItemList: {
    type: 'object',
    required: ['items', 'total'],
    properties: {
      items: { type: 'array', items: { $ref: '#/components/schemas/Item' } },
      total: { type: 'integer', description: 'How many items there are in all.' },
    },
  },
  Deleted: {
    type: 'object',
    required: ['deleted', 'id'],
    properties: { deleted: { const: true }, id: { type: 'integer' } },
  },
  User: {
    type: 'object',
    required: ['id', 'username', 'name', 'role'],
    properties: {
      id: { type: 'integer' },
      username: { type: 'string' },
      name: { type: 'string' },
      role: { enum: ['admin', 'member'] },
    },
  },
  UserList: {
    type: 'object',
    required: ['users'],
    properties: { users: { type: 'array', items: { $ref: '#/components/schemas/User' } } },
  },
  Stats: {
    type: 'object',
    required: ['items', 'users', 'calls', 'requestedBy'],
    properties: {
      items: { type: 'integer' },
      users: { type: 'integer' },
      calls: { type: 'integer', description: 'Calls let in since the start.' },
      requestedBy: { type: 'string', description: 'The username of the caller, or a word for the shared credential.' },
    },
  },
  Error: {
    type: 'object',
    required: ['error', 'message'],
    properties: { error: { type: 'string', example: 'MISSING_API_KEY' }, message: { type: 'string' } },
  },
} as const
