import { setTimeout as pause } from 'node:timers/promises'
import {
  type CallToolResult,
  fromJsonSchema,
  type McpServer,
  type ServerContext,
  type StandardSchemaWithJSON,
} from '@modelcontextprotocol/server'
import * as z from 'zod'
import { PNG, textResult, WAV } from './content.ts'
import type { Changed } from './make-server.ts'

/** Between two messages of one call: whoever passes them on must not wait for the end. Milliseconds. */
const PAUSE_MS = 25

/** JSON Schema 2020-12 with the keywords of SEP-1613 and SEP-2106, none of which may be lost on the way. */
const JSON_SCHEMA_2020_12 = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object' as const,
  $defs: {
    address: {
      $anchor: 'addressDef',
      type: 'object',
      properties: { street: { type: 'string' }, city: { type: 'string' } },
    },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
}

/** The tools whose answer needs nothing from the client. */
export function addTools(server: McpServer, changes: Changed): void {
  const add = (name: string, description: string, call: (context: ServerContext) => Promise<CallToolResult>) =>
    server.registerTool(name, { description }, call)

  for (const [name, content] of Object.entries(RESULTS)) add(name, `Answers ${name}.`, async () => ({ content }))
  add('test_error_handling', 'Always fails.', async () => {
    throw new Error('This tool intentionally returns an error for testing')
  })
  add('test_tool_with_logging', 'Logs three lines.', log)
  add('test_logging_tool', 'Logs three lines.', log)
  add('test_tool_with_progress', 'Tells its progress three times.', tellProgress)
  add('test_reconnection', 'Closes its stream before it answers.', answerAfterReconnection)
  add('test_trigger_tool_change', 'Says that the tools have changed.', async () => {
    changes.tools()
    return textResult('The tools have changed.')
  })
  add('test_trigger_prompt_change', 'Says that the prompts have changed.', async () => {
    changes.prompts()
    return textResult('The prompts have changed.')
  })

  const anything: StandardSchemaWithJSON = fromJsonSchema(JSON_SCHEMA_2020_12)
  server.registerTool(
    'json_schema_2020_12_tool',
    { description: 'Tool with JSON Schema 2020-12 features', inputSchema: anything },
    async (args) => textResult(JSON.stringify(args)),
  )
  const region = z.string().meta({ description: 'Also sent as Mcp-Param-Region.', 'x-mcp-header': 'Region' })
  server.registerTool(
    'test_parameter_header',
    { description: 'Has an argument that a header repeats.', inputSchema: z.object({ region }) },
    async (args) => textResult(args.region),
  )
}

const RESULTS: Readonly<Record<string, CallToolResult['content']>> = {
  test_simple_text: [{ type: 'text', text: 'This is a simple text response for testing.' }],
  test_image_content: [{ type: 'image', ...PNG }],
  test_audio_content: [{ type: 'audio', ...WAV }],
  test_embedded_resource: [
    {
      type: 'resource',
      resource: {
        uri: 'test://embedded-resource',
        mimeType: 'text/plain',
        text: 'This is an embedded resource content.',
      },
    },
  ],
  test_multiple_content_types: [
    { type: 'text', text: 'Multiple content types test:' },
    { type: 'image', ...PNG },
    {
      type: 'resource',
      resource: {
        uri: 'test://mixed-content-resource',
        mimeType: 'application/json',
        text: '{"test":"data","value":123}',
      },
    },
  ],
}

async function log({ mcpReq }: ServerContext): Promise<CallToolResult> {
  await mcpReq.log('info', 'Tool execution started')
  await pause(PAUSE_MS, undefined, { signal: mcpReq.signal })
  await mcpReq.log('info', 'Tool processing data')
  await pause(PAUSE_MS, undefined, { signal: mcpReq.signal })
  await mcpReq.log('info', 'Tool execution completed')
  return textResult('Three lines were logged.')
}

async function tellProgress({ mcpReq }: ServerContext): Promise<CallToolResult> {
  const progressToken = mcpReq._meta?.progressToken
  for (const progress of [0, 50, 100]) {
    if (progress > 0) await pause(PAUSE_MS, undefined, { signal: mcpReq.signal })
    if (progressToken === undefined) continue
    await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } })
  }
  return textResult('Progress was told.')
}

/** SEP-1699: the client finds the answer on the stream that it opens with `Last-Event-ID`. */
async function answerAfterReconnection({ http }: ServerContext): Promise<CallToolResult> {
  http?.closeSSE?.()
  return textResult('The answer came after the stream was closed.')
}
