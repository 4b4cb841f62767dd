import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  type ElicitRequestFormParams,
  type InputRequest,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server'
import * as z from 'zod'
import { textResult } from './content.ts'
import { FORMS, NAME_FORM, text } from './forms.ts'
import type { RoundState, SealState } from './make-server.ts'

const named = z.object({ name: z.string() })
const coloured = z.object({ color: z.string() })
const confirmed = z.object({ ok: z.boolean() })
const capability = z.looseObject({}).optional()
const capabilities = z.object({
  [CLIENT_CAPABILITIES_META_KEY]: z
    .object({ elicitation: capability, sampling: capability, roots: capability })
    .optional(),
})

/**
 * The tools that ask the client before they answer: `input_required` in the modern era, requests of the server's own in the
 * older (the SDK turns one into the other). What comes back is the client's word, so it is checked; a wrong or missing
 * answer is asked for again.
 */
export function addAskingTools(server: McpServer, seal: SealState): void {
  addFormTools(server)
  addSamplingTools(server)
  addRoundTools(server, seal)
}

/** The prompt that asks before it answers. */
export function addAskingPrompt(server: McpServer): void {
  server.registerPrompt('test_input_required_result_prompt', { description: 'Asks for its context.' }, ({ mcpReq }) => {
    const given = acceptedContent(mcpReq.inputResponses, 'user_context', z.object({ context: z.string() }))
    if (given === undefined) {
      const form = { message: 'What context should the prompt use?', requestedSchema: text('context') }
      return ask({ user_context: inputRequired.elicit(form) })
    }
    return { messages: [{ role: 'user', content: { type: 'text', text: `Context: ${given.context}` } }] }
  })
}

function addFormTools(server: McpServer): void {
  for (const [name, form] of Object.entries(FORMS)) {
    server.registerTool(name, { description: form.message }, ({ mcpReq }) => askForm(mcpReq, form))
  }
  server.registerTool(
    'test_elicitation',
    { description: 'Asks what it is told to ask.', inputSchema: z.object({ message: z.string() }) },
    ({ message }, { mcpReq }) => askForm(mcpReq, { message, requestedSchema: text('username', 'email') }),
  )
  server.registerTool('test_input_required_result_elicitation', { description: 'Asks for a name.' }, ({ mcpReq }) => {
    const given = acceptedContent(mcpReq.inputResponses, 'user_name', named)
    return given === undefined
      ? ask({ user_name: inputRequired.elicit(NAME_FORM) })
      : textResult(`Hello, ${given.name}!`)
  })
}

/** One form, whatever the person does with it. */
function askForm({ inputResponses }: ServerContext['mcpReq'], form: ElicitRequestFormParams) {
  const given = inputResponse(inputResponses, 'form')
  if (given.kind !== 'elicit') return ask({ form: inputRequired.elicit(form) })
  return textResult(`Elicitation completed: action=${given.action}, content=${JSON.stringify(given.content ?? {})}`)
}

function addSamplingTools(server: McpServer): void {
  server.registerTool(
    'test_sampling',
    { description: 'Asks the model of the client.', inputSchema: z.object({ prompt: z.string() }) },
    ({ prompt }, { mcpReq }) => askModel(mcpReq, { key: 'answer', prompt }),
  )
  server.registerTool('test_input_required_result_sampling', { description: 'Asks for a capital.' }, ({ mcpReq }) =>
    askModel(mcpReq, { key: 'capital_question', prompt: 'What is the capital of France?' }),
  )
  server.registerTool(
    'test_missing_capability',
    // A client that has not declared sampling is refused with -32021, by the SDK, when the question goes out.
    { description: 'Needs sampling.' },
    ({ mcpReq }) => askModel(mcpReq, { key: 'answer', prompt: 'Say something.' }),
  )
  server.registerTool('test_input_required_result_list_roots', { description: 'Asks for the roots.' }, ({ mcpReq }) => {
    const given = inputResponse(mcpReq.inputResponses, 'client_roots')
    if (given.kind !== 'roots') return ask({ client_roots: inputRequired.listRoots() })
    return textResult(`Roots: ${given.roots.map(({ uri }) => uri).join(', ')}`)
  })
  server.registerTool('test_input_required_result_capabilities', { description: 'Asks what it may.' }, ({ mcpReq }) => {
    const { [CLIENT_CAPABILITIES_META_KEY]: able = {} } = capabilities.parse(mcpReq.envelope ?? {})
    const questions = {
      ...(able.elicitation && { user_name: inputRequired.elicit(NAME_FORM) }),
      ...(able.sampling && { greeting: question('Generate a greeting') }),
      ...(able.roots && { client_roots: inputRequired.listRoots() }),
    }
    const isAnswered = Object.keys(questions).every(
      (key) => inputResponse(mcpReq.inputResponses, key).kind !== 'missing',
    )
    return isAnswered ? textResult('Nothing is left to ask.') : ask(questions)
  })
}

function addRoundTools(server: McpServer, seal: SealState): void {
  for (const name of ['test_input_required_result_request_state', 'test_input_required_result_tampered_state']) {
    server.registerTool(name, { description: 'Asks to confirm, with a state.' }, async ({ mcpReq }) => {
      const given = acceptedContent(mcpReq.inputResponses, 'confirm', confirmed)
      if (given !== undefined && mcpReq.requestState<RoundState>()?.round === 1) return textResult('state-ok')
      const confirm = inputRequired.elicit({ message: 'Please confirm', requestedSchema: OK_SCHEMA })
      return ask({ confirm }, await seal({ round: 1 }))
    })
  }
  server.registerTool(
    'test_input_required_result_multiple_inputs',
    { description: 'Asks three things at once.' },
    async ({ mcpReq }) => {
      const answers = ['user_name', 'greeting', 'client_roots'].map((key) => inputResponse(mcpReq.inputResponses, key))
      if (answers.every(({ kind }) => kind !== 'missing') && mcpReq.requestState<RoundState>()?.round === 1) {
        return textResult('All three were answered.')
      }
      const questions = {
        user_name: inputRequired.elicit(NAME_FORM),
        greeting: question('Generate a greeting'),
        client_roots: inputRequired.listRoots(),
      }
      return ask(questions, await seal({ round: 1 }))
    },
  )
  server.registerTool(
    'test_input_required_result_multi_round',
    { description: 'Asks twice, one after the other.' },
    async ({ mcpReq }) => {
      const state = mcpReq.requestState<RoundState>()
      const name = acceptedContent(mcpReq.inputResponses, 'step1', named)?.name ?? state?.name
      const color = acceptedContent(mcpReq.inputResponses, 'step2', coloured)?.color
      if (state === undefined || name === undefined) {
        const step1 = inputRequired.elicit({ ...NAME_FORM, message: 'Step 1: What is your name?' })
        return ask({ step1 }, await seal({ round: 1 }))
      }
      if (color !== undefined && state.round === 2) return textResult(`${name} likes ${color}.`)
      const form = { message: 'Step 2: What is your favorite color?', requestedSchema: text('color') }
      return ask({ step2: inputRequired.elicit(form) }, await seal({ round: 2, name }))
    },
  )
}

const OK_SCHEMA = { type: 'object' as const, properties: { ok: { type: 'boolean' as const } }, required: ['ok'] }

function askModel({ inputResponses }: ServerContext['mcpReq'], { key, prompt }: { key: string; prompt: string }) {
  const given = inputResponse(inputResponses, key)
  if (given.kind !== 'sampling') return ask({ [key]: question(prompt) })
  return textResult(`LLM response: ${JSON.stringify(given.result.content)}`)
}

function question(prompt: string): InputRequest {
  const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: prompt } }]
  return inputRequired.createMessage({ messages, maxTokens: 100 })
}

function ask(inputRequests: Record<string, InputRequest>, requestState?: string): InputRequiredResult {
  return inputRequired({ inputRequests, ...(requestState === undefined ? {} : { requestState }) })
}
