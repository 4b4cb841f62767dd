import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { suite, test } from 'node:test'
import { testCallers } from '../../src/testing/callers.ts'
import { startRecordingApi } from '../../src/testing/recording-api.ts'
import { at, callTool } from '../attacks/support/client.ts'
import { type GatehouseProcess, makeHome, runGatehouse } from '../attacks/support/gatehouse-process.ts'
import { documentWith } from './support/bystander.ts'

const SECRET = 'a shared secret that is long enough for everybody'

interface Bad {
  readonly name: string
  readonly config: Readonly<Record<string, unknown>> | string
  readonly says: readonly RegExp[]
}

const cases: readonly Bad[] = [
  { name: 'an unknown key', config: { requireAuth: true }, says: [/Unrecognized key: "requireAuth"/] },
  {
    name: 'several problems',
    config: { port: 70_000, logLevel: 'loud', auth: { authType: 'jwt', jwt: { secrt: 'x' } } },
    says: [/port: .*65535/, /logLevel: .*"debug"/, /auth\.jwt: .*"secrt"/, /auth\.jwt: give exactly one of secret/],
  },
  {
    name: 'a short secret',
    config: { auth: { authType: 'jwt', jwt: { secret: 'short' } } },
    says: [/auth: The shared secret has 5 characters and needs at least 32\. Make one with: openssl rand -base64 48/],
  },
  { name: 'no YAML', config: 'auth:\n  jwt: [', says: [/gatehouse\.yaml is not YAML \(line \d\)/] },
  { name: 'a list', config: '- auth', says: [/gatehouse\.yaml must hold keys and values/] },
  {
    name: 'a description that is not there',
    config: { workspaces: [{ name: 'x', source: './not-there.yaml' }] },
    says: [/not-there\.yaml cannot be read/],
  },
]

/** What `config check` cannot see: it reads no other file. */
const SEEN_AT_START = 'a description that is not there'

suite('a configuration that is of no use is refused with a line for each problem:', () => {
  for (const { name, config, says } of cases) {
    test(name, async () => {
      await using home = await makeHome()
      await home.configure(config)
      const command = name === SEEN_AT_START ? ['start'] : ['config', 'check']
      await using gatehouse = runGatehouse(home.folder, command)
      assert.equal(await gatehouse.exit, 1, gatehouse.stdout())
      for (const what of says) assert.match(gatehouse.stderr(), what)
      assert.doesNotMatch(gatehouse.stderr(), /\n\s+at /)
    })
  }

  test('a file that is not there', async () => {
    await using home = await makeHome()
    await using gatehouse = runGatehouse(home.folder, ['start', '--config', 'nothing.yaml'])
    assert.equal(await gatehouse.exit, 1)
    assert.equal(gatehouse.stderr(), 'The config file nothing.yaml cannot be read.\n')
  })
})

test('a bad configuration loses nothing: corrected, the workspace is where it was, with its document and tools', async () => {
  await using upstream = await startRecordingApi()
  await using home = await makeHome()
  const callers = testCallers()
  const token = await callers.token()
  const document = documentWith(upstream.url, { '/things': { get: { operationId: 'listThings' } } })
  const good = { auth: { authType: 'jwt', jwt: { secret: SECRET } } }
  await home.configure(good)
  const path = await whileRunning(home.folder, async (gatehouse, url) => {
    const adminKey = (await readFile(`${home.folder}/keys/admin.key`, 'utf8')).trim()
    const response = await fetch(`${url}/api/workspaces`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'kept', source: { document }, auth: callers.auth }),
    })
    assert.equal(response.status, 201, gatehouse.stderr())
    const made: unknown = await response.json()
    return new URL(String(at(made, 'url'))).pathname
  })
  await home.configure({ ...good, typo: 1 })
  await using bad = runGatehouse(home.folder, ['start'])
  assert.equal(await bad.exit, 1)
  await home.configure(good)
  await whileRunning(home.folder, async (gatehouse, url) => {
    const called = await callTool(url + path, token, 'listThings')
    assert.equal(called.isError, false, called.text + gatehouse.stderr())
  })
})

async function whileRunning<Result>(
  folder: string,
  work: (gatehouse: GatehouseProcess, url: string) => Promise<Result>,
): Promise<Result> {
  await using gatehouse = runGatehouse(folder, ['start'])
  const url = await gatehouse.listening
  assert.ok(url !== undefined, gatehouse.stderr())
  return await work(gatehouse, url)
}
