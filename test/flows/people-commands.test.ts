import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { PASSWORD } from './accounts.ts'
import { type Ended, Folder, type Started } from './gatehouse-process.ts'
import { at, send, textAt } from './http.ts'

let folder: Folder
let gateway: Started

before(async () => {
  folder = await Folder.make()
  gateway = await folder.start()
  await folder.write('password.txt', `${PASSWORD}\n`)
})

after(async () => {
  await gateway[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

function run(...args: readonly string[]): Promise<Ended> {
  return folder.run([...args, '--port', new URL(gateway.url).port])
}

async function json(...args: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await run(...args, '--json')
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

suite('gatehouse person and gatehouse account', () => {
  test('make an account with its people, and empty it again', async () => {
    const acme = ['--account', 'acme'] as const
    assert.equal(textAt(await json('account', 'create', '--name', 'Acme Ltd', '--slug', 'acme'), 'slug'), 'acme')
    const who = ['--email', 'Eve@Example.com', '--name', 'Eve', '--role', 'owner', '--password', '@password.txt']
    const eve = await json('person', 'create', ...acme, ...who)
    assert.deepEqual([textAt(eve, 'email'), textAt(eve, 'role')], ['eve@example.com', 'owner'])
    const invited = await run('person', 'invite', 'bob@example.com', '--role', 'viewer', ...acme)
    assert.match(
      invited.stdout,
      /To become viewer, bob@example\.com sends this code, until .*\/api\/invitations\/accept/,
    )
    const code = /^mgi_[\w-]{32}$/m.exec(invited.stdout)?.[0] ?? ''
    const accepted = await send('POST', `${gateway.url}/api/invitations/accept`, { body: { code, password: PASSWORD } })
    assert.equal(accepted.status, 200, accepted.text)
    assert.equal(at(await json('person', 'role', 'BOB@example.com', 'admin', ...acme), 'role'), 'admin')
    assert.equal(at(await json('person', 'disable', 'bob@example.com', ...acme), 'disabled'), true)
    assert.match(
      (await run('person', 'list', ...acme)).stdout,
      /eve@example\.com +owner +Eve\n.*bob@example\.com +admin, disabled/,
    )
    assert.equal(at(await json('person', 'enable', 'bob@example.com', ...acme), 'disabled'), false)
    assert.match(textAt(await json('person', 'reset-password', 'bob@example.com', ...acme), 'code'), /^mgi_/)
    assert.deepEqual(await json('person', 'list'), [], 'they are no people of the default account')
    assert.equal((await run('workspace', 'create', '--name', 'shop', ...acme)).code, 0)
    assert.deepEqual([await json('workspace', 'list')], [[]])
    assert.equal((await run('account', 'delete', 'acme', '--yes')).code, 1)
    assert.equal((await run('workspace', 'delete', 'shop', ...acme)).code, 0)
    assert.deepEqual(await json('person', 'remove', 'bob@example.com', '--yes', ...acme), {
      removed: 'bob@example.com',
    })
    assert.equal(textAt(await json('account', 'rename', 'acme', 'Acme GmbH'), 'name'), 'Acme GmbH')
    assert.match((await run('account', 'list')).stdout, /acme +\w{16} +Acme GmbH/)
    assert.deepEqual(await json('account', 'delete', 'acme', '--yes'), { deleted: 'acme' })
    assert.equal([await json('account', 'list')].flat().length, 1)
  })

  const refused = [
    { name: 'an account that is not there', args: ['person', 'list', '--account', 'nothing'], says: /no such account/ },
    {
      name: 'a person who is not there',
      args: ['person', 'role', 'x@example.com', 'viewer'],
      says: /no x@example\.com/,
    },
    {
      name: 'a short password',
      args: ['person', 'create', '--email', 'a@b.cd', '--password', 'short'],
      says: /12 characters/,
    },
    {
      name: 'a password that nobody can be asked for',
      args: ['person', 'create', '--email', 'a@b.cd'],
      says: /--password @file/,
    },
    { name: 'a removal that nobody can confirm', args: ['person', 'remove', 'a@b.cd'], says: /--yes/ },
    { name: 'a first run without an e-mail', args: ['person', 'first-run', '--code', 'x'], says: /--email/ },
  ] as const
  for (const { name, args, says } of refused) {
    test(`refuse ${name} in words`, async () => {
      const { code, stdout, stderr } = await run(...args)
      assert.deepEqual([code, stdout], [1, ''])
      assert.match(stderr, says)
    })
  }

  test('have the gateway show another code on its own terminal, and not here', async () => {
    const before = gateway.stderr.length
    const asked = await run('person', 'first-run')
    assert.deepEqual([asked.code, /mgi_|[a-z2-7]{4}-[a-z2-7]{4}/.test(asked.stdout)], [0, false])
    await gateway.sees(/(?:--code [\s\S]*){2}/, 'stderr')
    assert.ok(gateway.stderr.length > before)
  })
})
