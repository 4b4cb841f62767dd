import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { onFreePort } from '../bench/free-port.ts'
import { makeHome, runScript, scriptOf } from '../clients/program.ts'
import { Browser, type OAuthStand, signInAndAllow, startOAuthStand } from '../flows/oauth-stand.ts'
import { assertScenario } from './assert-conformance.ts'
import { PACKAGE, readResults, type SuiteRun, UNFINISHED } from './run-suite.ts'

/** Every scenario that the suite has for an authorization server: `conformance list`. */
const SCENARIOS = ['authorization-server-metadata-endpoint', 'authorization-code-grant'] as const
const REDIRECT = 'http://127.0.0.1/callback'

test('the authorization server passes all that the official conformance suite asks of one', async (t) => {
  const known = { id: 'conformance', name: 'The conformance suite', redirectUris: [REDIRECT] }
  await using stand = await startOAuthStand({ oauth: { clients: [known] } })

  await t.test('it is asked all that the suite has', async () => {
    await using home = await makeHome()
    const { stdout } = await runScript(await scriptOf(PACKAGE, 'conformance'), ['list'], home)
    const [, listed = ''] = stdout.split('Authorization server scenarios')
    assert.deepEqual(
      [...listed.matchAll(/^ {2}- (\S+)/gm)].map(([, name]) => name),
      [...SCENARIOS],
    )
  })

  const clients = [
    { name: 'a client that the operator wrote down', id: async () => known.id },
    { name: 'a client that has registered itself', id: () => register(stand) },
  ]
  for (const { name, id } of clients) {
    const { scenarios, report } = await runAuthorizationSuite(stand, await id())
    for (const scenario of scenarios) {
      await t.test(`${name}: ${scenario.name}`, () => assertScenario(scenario, new Map(), report))
    }
  }
})

/** Runs the suite as one client, with a person who signs in and allows what is asked for. */
function runAuthorizationSuite(stand: OAuthStand, clientId: string): Promise<SuiteRun> {
  return onFreePort(async (port) => {
    await using home = await makeHome()
    const folder = join(home.env['HOME'] ?? '', 'results')
    const signIns: Promise<unknown>[] = []
    const { report } = await runScript(
      await scriptOf(PACKAGE, 'conformance'),
      [
        ...['authorization', '--url', stand.gateway.url, '--client-id', clientId, '--resource', stand.endpoint],
        ...['--port', String(port), '--output-dir', folder],
      ],
      home,
      (printed) => {
        const asked = /^http\S+\/oauth\/authorize\?\S+$/m.exec(printed)?.[0]
        if (asked === undefined || signIns.length > 0) return
        signIns.push(signInAndAllow(new Browser(stand.gateway.url), asked).then((back) => fetch(back)))
      },
    )
    if (report.includes('EADDRINUSE')) throw new Error(report)
    await Promise.all(signIns)
    const failures = await readResults(folder, 'authorization-server')
    const scenarioOf = (name: string) => ({ name, isRequired: true, failures: failures.get(name) ?? UNFINISHED })
    return { scenarios: SCENARIOS.map(scenarioOf), report }
  })
}

async function register({ gateway }: OAuthStand): Promise<string> {
  const response = await fetch(`${gateway.url}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' }),
  })
  const { client_id: id } = Object(await response.json())
  assert.ok(typeof id === 'string')
  return id
}
