import { test } from 'node:test'
import { testCallers } from '../../src/testing/callers.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { assertConformance, type Exception } from './assert-conformance.ts'
import { startScenarioApi } from './scenario-api.ts'
import { startTokenProxy } from './token-proxy.ts'

// An HTTP API answers a request with one body: it has tools, and nothing else of MCP.
const EXCEPTIONS: readonly Exception[] = [
  {
    reason: 'an API has no prompts',
    of: [
      ...['prompts-list', 'prompts-get-simple', 'prompts-get-with-args', 'prompts-get-embedded-resource'],
      ...['prompts-get-with-image', 'caching:sep-2549-prompts-list-caching-hints'],
      ...['completion-complete', 'input-required-result-non-tool-request'],
    ],
  },
  {
    reason: 'an API has no resources',
    of: [
      ...['resources-list', 'resources-read-text', 'resources-read-binary', 'resources-templates-read'],
      ...['resources-subscribe', 'resources-unsubscribe', 'sep-2164-resource-not-found'],
      ...['caching:sep-2549-resources-list-caching-hints', 'caching:sep-2549-resources-templates-list-caching-hints'],
    ],
  },
  {
    reason: 'an API cannot ask the client for anything',
    of: [
      ...['tools-call-sampling', 'tools-call-elicitation', 'elicitation-sep1034-defaults', 'elicitation-sep1330-enums'],
      ...['input-required-result-basic-elicitation', 'input-required-result-basic-sampling'],
      ...['input-required-result-basic-list-roots', 'input-required-result-request-state'],
      ...['input-required-result-multiple-input-requests', 'input-required-result-multi-round'],
      ...['input-required-result-result-type', 'input-required-result-tampered-state'],
      ...['input-required-result-capability-check', 'input-required-result-missing-input-response'],
      'input-required-result-ignore-extra-params',
      'server-stateless:sep-2575-server-rejects-undeclared-capability',
      'server-stateless:sep-2575-missing-capability-http-400',
    ],
  },
  {
    reason: 'an API tells nothing before its answer',
    of: ['logging-set-level', 'tools-call-with-logging', 'tools-call-with-progress', 'server-sse-polling'],
  },
  { reason: 'an answer of HTTP is one content', of: ['tools-call-mixed-content'] },
  {
    // Each parameter of an operation is a property; what a body's schema says of the whole stays inside the argument `body`.
    reason: 'the schema of a tool is put together by us, without keywords at the top that join its arguments',
    of: [
      'json-schema-2020-12:sep-2106-composition-keywords-preserved',
      'json-schema-2020-12:sep-2106-conditional-keywords-preserved',
    ],
  },
  {
    reason: 'references are written anew as `#/$defs/…`, so nothing needs an anchor',
    of: ['json-schema-2020-12:sep-2106-anchor-keyword-preserved'],
  },
  { reason: 'without `$schema` it is 2020-12 (SEP-1613)', of: ['json-schema-2020-12:json-schema-2020-12-$schema'] },
  { reason: 'no argument is repeated in a header', of: ['http-custom-header-server-validation'] },
]

test('a workspace of an OpenAPI document passes what the official conformance suite asks of tools', async (t) => {
  await using api = await startScenarioApi()
  await using gateway = await startGateway()
  const callers = testCallers()
  const source = { url: `${api.origin}/openapi.json` }
  const { endpoint, workspace } = await gateway.makeWorkspace({
    ...{ name: 'Scenarios', source, auth: callers.auth, tools: 'all' },
  })
  const { manager } = gateway.running.gateway
  api.onToolChange = async () => {
    await manager.change(workspace.id, { tools: ['test_simple_text'] })
    await manager.change(workspace.id, { tools: 'all' })
  }
  await using proxy = await startTokenProxy(endpoint, await callers.token())
  await assertConformance(t, proxy.url, EXCEPTIONS)
})
