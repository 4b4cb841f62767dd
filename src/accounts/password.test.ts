import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GatewayError } from '../errors.ts'
import { Passwords, passwordProblem } from './password.ts'

const GOOD = 'correct horse battery'

suite('a password', () => {
  const cases = [
    { name: 'of eleven characters', password: 'x'.repeat(11), refused: /at least 12/ },
    { name: 'of eleven characters that take twenty-two bytes', password: 'é'.repeat(11), refused: /at least 12/ },
    { name: 'of more than 1,024 bytes', password: 'é'.repeat(513), refused: /at most 1024/ },
    { name: 'that is the e-mail', password: ' Ada.Lovelace@Example.com', refused: /e-mail/ },
    { name: 'that is the e-mail’s own part', password: 'ada.lovelace', refused: /e-mail/ },
  ] as const
  for (const { name, password, refused } of cases) {
    test(`${name} is refused`, () => assert.match(passwordProblem(password, 'ada.lovelace@example.com') ?? '', refused))
  }

  test('of twelve characters or 1,024 bytes is accepted, whatever they are', () => {
    for (const password of ['x'.repeat(12), 'é'.repeat(512), '            ', GOOD]) {
      assert.equal(passwordProblem(password, 'ada.lovelace@example.com'), undefined)
    }
  })

  test('is kept as argon2id with its parameters and a salt of its own, and told from every other', async () => {
    const passwords = new Passwords()
    const [one, two] = await Promise.all([passwords.hash(GOOD), passwords.hash(GOOD)])
    assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    assert.notEqual(one, two)
    assert.ok(!one.includes(GOOD))
    assert.deepEqual(await Promise.all([GOOD, `${GOOD} `, ''].map((password) => passwords.verify(password, one))), [
      true,
      false,
      false,
    ])
  })

  test('may be typed with either way to write a letter', async () => {
    const passwords = new Passwords()
    assert.equal(await passwords.verify('cafe\u0301 au lait', await passwords.hash('café au lait')), true)
  })

  test('of nobody is none, and too long a one is never right', async () => {
    const passwords = new Passwords()
    assert.equal(await passwords.verify(GOOD, undefined), false)
    const long = 'x'.repeat(1025)
    assert.equal(await passwords.verify(long, await passwords.hash(long)), false)
  })

  test('is compared under the parameters it was kept with', async () => {
    // What the reference implementation makes of it: echo -n password | argon2 somesalt -id -t 2 -k 256 -p 1 -l 32 -e
    const known = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'
    const passwords = new Passwords()
    assert.deepEqual(
      [await passwords.verify('password', known), await passwords.verify('passwort', known)],
      [true, false],
    )
  })

  test('that was kept in no readable form opens nothing', async () => {
    for (const broken of [
      '',
      'plain',
      '$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
    ]) {
      await assert.rejects(new Passwords().verify(GOOD, broken), isCode('internal'))
    }
  })

  test('a flood of them waits in a bounded queue, and the rest is told to come back', async () => {
    const passwords = new Passwords()
    const kept = await passwords.hash(GOOD)
    const tried = await Promise.allSettled(Array.from({ length: 100 }, () => passwords.verify(GOOD, kept)))
    const refused = tried.filter(({ status }) => status === 'rejected')
    assert.equal(refused.length, 34)
    for (const one of refused) assert.ok(one.status === 'rejected' && isCode('rate_limited')(one.reason))
    assert.equal(await passwords.verify(GOOD, kept), true)
  })
})

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof GatewayError && error.code === code
}
