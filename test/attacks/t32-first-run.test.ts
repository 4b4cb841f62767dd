import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { accepted, PASSWORD, signIn, startTeams, type TeamGateway } from '../flows/accounts.ts'
import { Folder } from '../flows/gatehouse-process.ts'
import { at, textAt } from '../flows/http.ts'
import { handTurned } from '../flows/issuing.ts'

const HOUR = 3_600_000
const ADA = { email: 'ada@example.com', name: 'Ada', password: PASSWORD }

/** What the terminal has shown. */
async function shownBy({ gateway }: TeamGateway): Promise<string[]> {
  const codes: string[] = []
  await gateway.running.gateway.firstRun.announce((code) => codes.push(code))
  return codes
}

async function tried({ stranger }: TeamGateway, code: string, who = ADA): Promise<number> {
  return (await stranger('POST', '/api/first-run', { ...who, code })).status
}

suite('T32: nobody becomes the owner of a new installation without the code on its terminal', () => {
  test('the code makes one owner, once; then there is no first run any more', async () => {
    await using teams = await startTeams()
    const [code = ''] = await shownBy(teams)
    assert.match(code, /^[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{3}$/)
    assert.equal(await tried(teams, 'aaaa-aaaa-aaa'), 403)
    assert.equal((await teams.stranger('POST', '/api/first-run', { ...ADA, code, password: 'short' })).status, 400)
    assert.equal(await tried(teams, ` ${code.toUpperCase().replaceAll('-', ' ')}`), 201, 'as people type it')
    assert.equal(await tried(teams, code, { ...ADA, email: 'eve@example.com' }), 404)
    assert.equal((await teams.admin('POST', '/api/first-run/code')).status, 404)
    const token = await signIn(teams.stranger, ADA.email)
    const me = await teams.stranger('GET', '/api/me', undefined, { headers: { authorization: `Bearer ${token}` } })
    assert.deepEqual(at(me.body, 'accounts', 0, 'role'), 'owner')
    await teams.gateway.restart()
    assert.deepEqual(await shownBy(teams), [], 'a start with people shows none')
    assert.equal(await tried(teams, code), 404)
  })

  test('of many who use the code at once, one is the owner', async () => {
    await using teams = await startTeams()
    const [code = ''] = await shownBy(teams)
    const tries = Array.from({ length: 8 }, (_, n) => tried(teams, code, { ...ADA, email: `p${n}@example.com` }))
    const statuses = await Promise.all(tries)
    assert.equal(statuses.filter((status) => status === 201).length, 1, statuses.join())
    assert.equal([(await teams.admin('GET', '/api/people')).body].flat().length, 1)
  })

  test('five wrong guesses burn it, also at once; only whoever holds the admin key gets a new one shown', async () => {
    await using teams = await startTeams()
    const codes = await shownBy(teams)
    await Promise.all(Array.from({ length: 5 }, (_, n) => tried(teams, `guess-${n}`)))
    assert.equal(await tried(teams, codes[0] ?? ''), 403)
    assert.equal((await teams.stranger('POST', '/api/first-run/code')).status, 401)
    const asked = await accepted(teams.admin('POST', '/api/first-run/code'))
    assert.deepEqual([asked.status, asked.text, codes.length], [204, '', 2])
    assert.equal(await tried(teams, codes[1] ?? ''), 201)
  })

  test('ends after an hour, with the next one, and with the process', async () => {
    const clock = handTurned()
    await using teams = await startTeams({ now: clock.now })
    const codes = await shownBy(teams)
    await accepted(teams.admin('POST', '/api/first-run/code'))
    assert.equal(await tried(teams, codes[0] ?? ''), 403, 'another took its place')
    clock.advance(HOUR)
    assert.equal(await tried(teams, codes[1] ?? ''), 403, 'an hour has passed')
    await accepted(teams.admin('POST', '/api/first-run/code'))
    await teams.gateway.restart()
    assert.equal(await tried(teams, codes[2] ?? ''), 403, 'nobody has shown it since the start')
  })

  test('guessing is limited by address, and no answer, log or audit has the code', async () => {
    await using teams = await startTeams()
    const [code = ''] = await shownBy(teams)
    const statuses: number[] = []
    for (let count = 0; count < 31; count += 1) statuses.push(await tried(teams, `guess-${count}`))
    assert.deepEqual([statuses.slice(0, 30).every((status) => status === 403), statuses[30]], [true, 429])
    const { text } = await teams.admin('GET', '/api/audit')
    assert.match(text, /access\.denied/)
    for (const form of [code, code.replaceAll('-', '')]) assert.ok(!(text + teams.gateway.log.join('')).includes(form))
  })

  test('without a terminal there is no code that opens, the empty one included', async () => {
    await using teams = await startTeams()
    for (const code of ['aaaa-aaaa-aaa', 'undefined', '-']) assert.equal(await tried(teams, code), 403)
    assert.equal(await tried(teams, ''), 400)
    assert.equal((await teams.admin('POST', '/api/first-run/code')).status, 503)
  })

  test('gatehouse start shows it beside the log, and gatehouse person first-run takes it', async () => {
    await using folder = await Folder.make()
    await using gateway = await folder.start()
    const port = ['--port', new URL(gateway.url).port]
    const [, code = ''] = await gateway.sees(/--code (\S+) .*\n/, 'stderr')
    assert.match(gateway.stderr, /^Nobody has an account here yet.*\n {2}gatehouse person first-run --code \S+ .*\n$/)
    await folder.write('password.txt', `${PASSWORD}\n`)
    const who = ['--email', ADA.email, '--password', '@password.txt', '--json']
    const made = await folder.run(['person', 'first-run', ...port, '--code', code, ...who])
    assert.deepEqual([made.code, JSON.parse(made.stdout)], [0, { email: ADA.email }], made.stderr)
    const again = await folder.run(['person', 'first-run', ...port, '--code', code, ...who])
    assert.deepEqual([again.code, /first run is over/.test(again.stderr)], [1, true])
    const listed: unknown = JSON.parse((await folder.run(['person', 'list', ...port, '--json'])).stdout)
    assert.deepEqual([textAt(listed, 0, 'email'), textAt(listed, 0, 'role')], [ADA.email, 'owner'])
    assert.ok(!gateway.stdout.includes(code))
  })
})
