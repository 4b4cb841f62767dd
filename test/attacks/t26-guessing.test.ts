import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createSignInLimits } from '../../src/limits/sign-in-limits.ts'
import { accepted, PASSWORD, signIn, startTeams, type TeamGateway } from '../flows/accounts.ts'
import { type Answered, textAt } from '../flows/http.ts'
import { handTurned } from '../flows/issuing.ts'

const MINUTE = 60_000

function tryPassword({ stranger }: TeamGateway, email: string, password = 'not the password'): Promise<Answered> {
  return stranger('POST', '/api/sign-in', { email, password })
}

suite('T26: passwords, codes and tokens are not to be guessed', () => {
  test('an e-mail is tried twenty times in a quarter of an hour, whatever its case, and then not even the right one', async () => {
    const clock = handTurned()
    await using teams = await startTeams({ now: clock.now })
    await teams.person('ada')
    clock.advance(30 * MINUTE)
    for (let count = 0; count < 20; count += 1) {
      assert.equal((await tryPassword(teams, count % 2 === 0 ? 'ada@example.com' : ' ADA@example.com')).status, 401)
    }
    const refused = await tryPassword(teams, 'ada@example.com', PASSWORD)
    assert.equal(refused.status, 429)
    const seconds = Number(refused.headers.get('retry-after'))
    assert.ok(seconds >= 1 && seconds <= 1800, `${seconds}`)
    clock.advance(seconds * 1000)
    await signIn(teams.stranger, 'ada@example.com')
  })

  test('an address tries thirty times in five minutes, whoever it tries', async () => {
    const clock = handTurned()
    await using teams = await startTeams({ now: clock.now })
    for (let count = 0; count < 30; count += 1) {
      assert.equal((await tryPassword(teams, `p${count}@example.com`)).status, 401)
    }
    for (const email of ['p30@example.com', 'p0@example.com']) {
      const refused = await tryPassword(teams, email)
      assert.equal(refused.status, 429)
      assert.ok(Number(refused.headers.get('retry-after')) >= 1)
    }
    const code = { code: 'mgi_guess', password: PASSWORD }
    assert.equal((await teams.stranger('POST', '/api/invitations/accept', code)).status, 429, 'codes count too')
  })

  test('tries at the same moment all count', async () => {
    await using teams = await startTeams()
    const answers = await Promise.all(Array.from({ length: 60 }, () => tryPassword(teams, 'ada@example.com')))
    assert.equal(answers.filter(({ status }) => status === 401).length, 20)
    assert.equal(answers.filter(({ status }) => status === 429).length, 40)
  })

  test('an unknown e-mail, a wrong password and a disabled person get one answer', async () => {
    await using teams = await startTeams()
    const [ada, bob] = [await teams.person('ada'), await teams.person('bob')]
    await accepted(ada.call('PATCH', `/api/people/${bob.id}`, { disabled: true }))
    const answers = await Promise.all([
      tryPassword(teams, 'ada@example.com'),
      tryPassword(teams, 'nobody@example.com'),
      tryPassword(teams, 'bob@example.com', PASSWORD),
      tryPassword(teams, 'ada@example.com', 'x'.repeat(2000)),
    ])
    assert.equal(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size, 1)
    assert.deepEqual([answers[0]?.status, textAt(answers[0]?.body, 'detail')], [401, 'E-mail or password is wrong.'])
  })

  test('an invitation tells nobody who is here already, and its code is not to be guessed', async () => {
    await using teams = await startTeams()
    await teams.account('acme')
    const eve = await teams.person('eve', { account: 'acme' })
    await teams.person('ada')
    const shapeOf = async (email: string) => {
      const { status, body } = await eve.call('POST', '/api/invitations', { email, role: 'viewer' })
      return [status, Object.keys(Object(body)).toSorted(), textAt(body, 'code').length]
    }
    assert.deepEqual(await shapeOf('ada@example.com'), await shapeOf('nobody@example.com'))
    for (const code of ['mgi_', 'x', `mgi_${'a'.repeat(32)}`]) {
      const answer = await teams.stranger('POST', '/api/invitations/accept', { code, password: PASSWORD })
      assert.equal(answer.status, 403)
    }
  })

  test('whoever invites a person of another account does not become that person', async () => {
    await using teams = await startTeams()
    await teams.account('acme')
    const ada = await teams.person('ada')
    const eve = await teams.person('eve', { account: 'acme' })
    const invited = await accepted(eve.call('POST', '/api/invitations', { email: ada.email, role: 'viewer' }))
    const taken = { code: textAt(invited.body, 'code'), name: 'Ada', password: 'the password of Eve' }
    assert.equal((await teams.stranger('POST', '/api/invitations/accept', taken)).status, 401)
    assert.equal((await tryPassword(teams, ada.email, taken.password)).status, 401)
    await signIn(teams.stranger, ada.email)
  })

  test('session tokens and admin keys are limited by address too', async () => {
    await using teams = await startTeams()
    const guess = (token: string) =>
      teams.stranger('GET', '/api/me', undefined, { headers: { authorization: `Bearer ${token}` } })
    for (let count = 0; count < 60; count += 1) assert.equal((await guess(`mgs_${count}`)).status, 401)
    assert.equal((await guess('mgs_another')).status, 429)
  })

  test('who has not signed in sends no large body', async () => {
    await using teams = await startTeams()
    const answer = await teams.stranger('POST', '/api/sign-in', { email: 'a@b.c', password: 'x'.repeat(20_000) })
    assert.equal(answer.status, 413)
  })

  test('counting more names than there is room for takes bounded memory', () => {
    const limits = createSignInLimits()
    const before = process.memoryUsage().heapUsed
    for (let count = 0; count < 130_000; count += 1) {
      try {
        limits.take({ address: `10.${count >> 16}.${(count >> 8) & 255}.${count & 255}`, email: `${count}@x`, now: 1 })
      } catch {
        // Past the bound new names share one count, which is used up: that is the answer.
      }
    }
    assert.ok(process.memoryUsage().heapUsed - before < 120_000_000)
  })
})
