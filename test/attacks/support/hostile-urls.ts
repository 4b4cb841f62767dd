import type { HostAddress } from '../../../src/egress/look-up.ts'

/** A public address that nobody has: IANA has given nothing of 2d00::/8 to anybody. */
const UNASSIGNED = '2d00::1'

/** Where a name of these tests leads: what the attacker’s own name server says, answer after answer. */
const NAMES: Readonly<Record<string, readonly (readonly string[])[]>> = {
  // The egress of these tests lets persons name it, so that there is a first hop that a redirect can come from.
  'public.example': [['127.0.0.1']],
  localhost: [['127.0.0.1', '::1']],
  'app.localhost': [['127.0.0.1']],
  'inside.example': [['127.0.0.1']],
  'inside6.example': [['::1']],
  'mapped.example': [['::ffff:127.0.0.1']],
  'nat64.example': [['64:ff9b::7f00:1']],
  'half-inside.example': [[UNASSIGNED, '127.0.0.1']],
  'lan.example': [['10.0.0.1']],
  'cloud.example': [['169.254.169.254']],
  'cloud6.example': [['fd00:ec2::254']],
  'rebinding-to-cloud.example': [['127.0.0.1'], ['169.254.169.254']],
}

/**
 * A resolver of its own for each gateway: the second question about a name may have another answer than the first. Every
 * name below `rebinding.example` is public once and inside ever after.
 */
export function hostileResolver(): (hostname: string) => Promise<readonly HostAddress[]> {
  const asked = new Map<string, number>()
  return async (hostname) => {
    const isRebinding = hostname.endsWith('.rebinding.example')
    const answers = isRebinding ? [[UNASSIGNED], ['127.0.0.1']] : NAMES[hostname.replace(/\.$/, '')]
    if (answers === undefined) throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' })
    const times = asked.get(hostname) ?? 0
    asked.set(hostname, times + 1)
    const answer = answers[Math.min(times, answers.length - 1)] ?? []
    return answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  }
}

/** Addresses inside, written in every way that a URL parser, a resolver or a kernel takes. */
export const PRIVATE_HOSTS: readonly string[] = [
  '127.0.0.1',
  '127.0.0.1.',
  '127.1',
  '127.255.255.254',
  '2130706433',
  '0x7f000001',
  '0x7f.1',
  '017700000001',
  '0177.0.0.01',
  '%31%32%37.0.0.1',
  '１２７.０.０.１',
  '127。0。0。1',
  '0.0.0.0',
  '0',
  '[::]',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::127.0.0.1]',
  '[::ffff:0:127.0.0.1]',
  '[64:ff9b::127.0.0.1]',
  '[64:ff9b:1::127.0.0.1]',
  '[2002:7f00:1::1]',
  '[2001:0:7f00:1::1]',
  '[2001::80ff:fffe]',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '100.64.0.1',
  '169.254.1.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '[fc00::1]',
  '[fd12:3456::1]',
  '[fe80::1]',
  '[fec0::1]',
  '[ff02::1]',
  '[100::1]',
  '[2002:0a00:0001::1]',
  'localhost',
  'localhost.',
  'LOCALHOST',
  'app.localhost',
  'inside.example',
  'inside6.example',
  'mapped.example',
  'nat64.example',
  'half-inside.example',
  'lan.example',
]

/** The services that hand a machine its own credentials: by address in every form, and by name. */
export const METADATA_HOSTS: readonly string[] = [
  '169.254.169.254',
  '2852039166',
  '0xa9fea9fe',
  '0251.0376.0251.0376',
  '169.254.169.254.',
  '[::ffff:169.254.169.254]',
  '[64:ff9b::a9fe:a9fe]',
  '[2002:a9fe:a9fe::1]',
  '[fd00:ec2::254]',
  '[fd20:ce::254]',
  '[fe80::a9fe:a9fe]',
  '169.254.170.2',
  '100.100.100.200',
  '192.0.0.192',
  '168.63.129.16',
  'metadata',
  'metadata.google.internal',
  'METADATA.google.internal.',
  'metadata.goog',
  'metadata.azure.internal',
  'instance-data.ec2.internal',
  'cloud.example',
  'cloud6.example',
]

/** What is no address of an HTTP server: refused for what it is, before anybody asks where it leads. */
export function otherUrls(port: number): readonly string[] {
  return [
    'file:///etc/passwd',
    'file://localhost/etc/passwd',
    `ftp://127.0.0.1:${port}/`,
    `gopher://127.0.0.1:${port}/_GET`,
    `ws://127.0.0.1:${port}/`,
    `dict://127.0.0.1:${port}/`,
    'data:application/json,{"openapi":"3.1.0"}',
    'javascript:fetch(1)',
    'blob:http://127.0.0.1/1',
    'unix:/var/run/docker.sock',
    `http+unix://%2Fvar%2Frun%2Fdocker.sock/v1`,
    'about:blank',
    '',
    '/relative',
    `//127.0.0.1:${port}/`,
    'http://',
  ]
}

/** The host stands behind something that reads like another one. */
export function disguisedUrls(port: number): readonly string[] {
  return [
    `http://public.example@127.0.0.1:${port}/`,
    `http://public.example:80@127.0.0.1:${port}/`,
    `http://public.example%2F@127.0.0.1:${port}/`,
    `http:\\\\127.0.0.1:${port}\\`,
    `http:/127.0.0.1:${port}/`,
    `http:127.0.0.1:${port}/`,
    `http://127.0.0.1:${port}\\@public.example/`,
    `http://127.0.0.1:${port}#@public.example/`,
    `http://127.0.0.1:${port}?@public.example/`,
    ` http://127.0.0.1:${port}/`,
    `http://127.0.\t0.1:${port}/`,
    `http://127.0.0.1\n:${port}/`,
    `HTTP://127.0.0.1:${port}/`,
  ]
}
