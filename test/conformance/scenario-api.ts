import { createServer } from 'node:http'
import { close, listen, originOf, type Reply, sendReply, splitTarget } from '../../src/test-api/wire.ts'
import { PNG, WAV } from '../../src/testing/everything-server/content.ts'

/** An HTTP API whose operations are called like the tools that the conformance suite calls. */
export interface ScenarioApi extends AsyncDisposable {
  /** Its origin; the document is at `/openapi.json`. */
  readonly origin: string
  /** Called when `test_trigger_tool_change` is; its answer waits for it. Changing the tools is not the API's own affair. */
  onToolChange: () => Promise<unknown>
}

type Answer = { readonly status?: number; readonly type: string; readonly bytes: Buffer }

const text = (content: string): Answer => ({ type: 'text/plain', bytes: Buffer.from(content) })
const base64 = (type: string, data: string): Answer => ({ type, bytes: Buffer.from(data, 'base64') })

/** What each operation answers to a GET of its name. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  test_simple_text: text('This is a simple text response for testing.'),
  test_image_content: base64(PNG.mimeType, PNG.data),
  test_audio_content: base64(WAV.mimeType, WAV.data),
  test_embedded_resource: base64('application/octet-stream', 'AAECAwQ='),
  test_error_handling: { ...text('This tool intentionally returns an error for testing'), status: 500 },
  // An API can neither ask nor log through MCP: these hold that the gateway does not do so by itself.
  test_streaming_elicitation: text('Nothing is asked.'),
  test_logging_tool: text('Nothing is logged.'),
  test_trigger_tool_change: text('The tools have changed.'),
}

/** Starts one on a free loopback port, without authentication. */
export async function startScenarioApi(): Promise<ScenarioApi> {
  const changing = { onToolChange: async (): Promise<unknown> => undefined }
  const server = createServer(async (request, response) => {
    const name = splitTarget(request.url ?? '').path.slice(1)
    const answer = ANSWERS[name]
    request.resume()
    if (name === 'test_trigger_tool_change') await changing.onToolChange()
    if (name === 'openapi.json') sendReply(response, { status: 200, body: document() })
    else if (name === 'json_schema_2020_12_tool') sendReply(response, { status: 204 })
    else if (answer === undefined) sendReply(response, notFound)
    else response.writeHead(answer.status ?? 200, { 'content-type': answer.type }).end(answer.bytes)
  })
  const port = await listen(server, { host: '127.0.0.1', port: 0 })
  return Object.assign(changing, { origin: originOf('127.0.0.1', port), [Symbol.asyncDispose]: () => close(server) })
}

const notFound: Reply = { status: 404, body: { error: 'NOT_FOUND' } }

function document(): unknown {
  const gets = Object.entries(ANSWERS).map(([name, { type }]) => {
    const responses = { 200: { description: 'The answer.', content: { [type]: {} } } }
    return [`/${name}`, { get: { operationId: name, summary: `Answers ${name}.`, responses } }]
  })
  return {
    openapi: '3.1.0',
    info: { title: 'Scenarios', version: '1.0.0' },
    paths: {
      ...Object.fromEntries(gets),
      '/json_schema_2020_12_tool': {
        post: {
          operationId: 'json_schema_2020_12_tool',
          summary: 'Takes a person.',
          requestBody: {
            required: true,
            content: { 'application/json': { schema: { $ref: '#/components/schemas/person' } } },
          },
          responses: { 204: { description: 'Taken.' } },
        },
      },
    },
    components: { schemas: { person, address } },
  }
}

/** What the suite wants of `json_schema_2020_12_tool`, as an API's document would say it. */
const person = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/components/schemas/address' },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  additionalProperties: false,
}

const address = {
  type: 'object',
  properties: { street: { type: 'string' }, city: { type: 'string' } },
}
