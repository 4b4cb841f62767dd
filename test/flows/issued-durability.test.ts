import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startTestApi } from '../../src/test-api/test-api.ts'
import { Folder } from './gatehouse-process.ts'
import { adminOf, callTool, readAdminKey, rpc, textAt } from './http.ts'
import { decoded, startIssuing, statusOf, statusWith } from './issuing.ts'

const ROUNDS = 3

suite('what was acknowledged of credentials', () => {
  test(`holds after ${ROUNDS} kills right after a revocation, an issue and a rotation (B8)`, async () => {
    await using api = await startTestApi({ mode: 'none' })
    await using folder = await Folder.make()
    let port = '0'
    let url = ''
    const live: string[] = []
    const dead: string[] = []
    for (let round = 0; round <= ROUNDS; round += 1) {
      await using gateway = await folder.start(['--port', port])
      port = new URL(gateway.url).port
      const admin = adminOf(gateway.url, await readAdminKey(folder.file('config/gatehouse')))
      if (url === '') {
        const source = { url: `${api.origin}/openapi.json` }
        url = textAt((await admin('POST', '/api/workspaces', { name: 'Shop', source })).body, 'url')
      }
      for (const value of live) assert.equal(await statusOf(url, value), 200, `round ${round}`)
      for (const value of dead) assert.equal(await statusOf(url, value), 401, `round ${round}`)
      const issue = async (noun: string, body: object) =>
        (await admin('POST', `/api/${noun}`, { ...body, workspaces: ['shop'] })).body
      const token = await issue('tokens', { description: 'x', expires: 'never' })
      const key = await issue('keys', { name: 'x' })
      const doomed = await issue('tokens', { description: 'x', expires: 'never' })
      assert.equal(await statusOf(url, textAt(doomed, 'value')), 200)
      assert.equal((await admin('POST', '/api/signing-keys/rotate')).status, 201)
      const revoked = await admin('POST', `/api/tokens/${textAt(doomed, 'id')}/revoke`)
      assert.equal(revoked.status, 200)
      await gateway.stop('SIGKILL')
      live.push(textAt(token, 'value'), textAt(key, 'value'))
      dead.push(textAt(doomed, 'value'))
    }
  })
})

suite('a credential', () => {
  test('is in one answer and nowhere else: no log line, no record, no other answer, no file', async () => {
    await using house = await startIssuing()
    const { url } = await house.make('Shop')
    const token = await house.issue('tokens', { description: 'x', workspaces: ['shop'] })
    const key = await house.issue('keys', { name: 'x', workspaces: ['shop'] })
    const session = await house.issue('sessions', { subject: 'x', workspaces: ['shop'] })
    const answers: string[] = []
    for (const { value, id } of [token, key, session]) {
      // Where it opens, where it is wrong, in headers and in arguments.
      answers.push((await callTool(url, 'getStats', { token: value, args: { token: value, note: value } })).text)
      answers.push((await rpc(url, 'tools/list', { token: `${value}x` })).text)
      await statusWith(url, { 'x-api-key': value })
      await statusWith(url, { 'agent-session': value })
      for (const path of ['tokens', 'keys', 'sessions']) {
        answers.push(
          (await house.admin('GET', `/api/${path}/${value}`)).text,
          (await house.admin('GET', `/api/${path}`)).text,
        )
        answers.push((await house.admin('GET', `/api/${path}/${id}`)).text)
        answers.push((await house.admin('POST', `/api/${path}/${id}/revoke`)).text)
      }
      answers.push((await house.admin('POST', '/api/tokens', { description: 7, scopes: [`${value} `] })).text)
    }
    answers.push(
      (await house.admin('POST', '/api/signing-keys/rotate')).text,
      (await house.admin('GET', '/api/signing-keys')).text,
    )
    answers.push(
      (await house.admin('GET', '/api/logs?limit=1000')).text,
      (await house.admin('GET', '/api/workspaces/shop')).text,
    )
    const everything = [...answers, ...house.gateway.log].join('\n')
    for (const { value } of [token, key, session]) {
      const canary = value.startsWith('eyJ') ? (value.split('.')[2] ?? value) : value.slice(12)
      assert.ok(
        !everything.includes(canary),
        everything.slice(Math.max(0, everything.indexOf(canary) - 300)).slice(0, 500),
      )
    }
    assert.ok(!everything.includes('"d":'))
    assert.ok(decoded(token.value).claims !== undefined)
    assert.match(house.gateway.log.join(''), new RegExp(`Revoked ${token.id}, a token`))
  })
})
