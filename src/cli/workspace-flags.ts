import type { Command } from 'commander'
import { AUTH_NAMES } from '../config.ts'
import { GatewayError } from '../errors.ts'
import { isSecretName } from '../records/redact.ts'
import { scopesOf, secretValue } from './config-options.ts'

type Flags = Readonly<Record<string, unknown>>

/** For a flag that may be repeated. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

/**
 * The workspace's verifier of callers, undefined when no flag speaks of it.
 *
 * @throws GatewayError `config_invalid` for flags about tokens where nobody is asked for one: left out in silence, a door
 * would stand open that somebody believes shut.
 */
export function authFrom(flags: Flags): unknown {
  const verifier: Record<string, unknown> = {}
  for (const { key } of AUTH_NAMES) {
    const value = flags[key === 'secret' ? 'jwtSecret' : key]
    if (typeof value === 'string') verifier[key] = secretValue('--jwt-secret', value, key === 'secret')
  }
  if (flags['allowAnyAudience'] === true) verifier['allowAnyAudience'] = true
  if (typeof flags['requiredScopes'] === 'string') verifier['requiredScopes'] = scopesOf(flags['requiredScopes'])
  const asksForTokens = Object.keys(verifier).length > 0
  if (flags['auth'] === 'none') {
    if (!asksForTokens) return { authType: 'none' }
    throw new GatewayError('config_invalid', '--auth none asks nobody for anything. Leave out the flags about tokens.')
  }
  return asksForTokens || flags['auth'] !== undefined ? { authType: 'jwt', jwt: verifier } : undefined
}

const collectFlags = (value: string, before: readonly string[] = []) => collect(value, before)

/** The options about who may call which tool. */
export function addAccessOptions(command: Command): Command {
  return command
    .option('--public-tools <list>', 'tools that everybody may call, without a token; default: those marked x-public')
    .option('--tool-scopes <name=list>', 'scopes that this tool needs besides; repeat for more', collectFlags)
    .option('--admin-tools <list>', 'tools that need the scope admin')
}

/** Who may call which tool, undefined when no flag speaks of it. */
export function accessFrom(flags: Flags): Readonly<Record<string, unknown>> | undefined {
  const publicTools = flags['publicTools'] === 'default' ? 'default' : listOf(flags['publicTools'])
  const adminTools = listOf(flags['adminTools'])
  const given: unknown = flags['toolScopes']
  const scopes = (Array.isArray(given) ? given : []).map(toolScopesOf)
  const names = scopes.map(([name]) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined)
    throw new GatewayError('config_invalid', `--tool-scopes: give ${twice} all its scopes at once.`)
  const access = {
    ...(publicTools === undefined ? {} : { publicTools }),
    ...(adminTools === undefined ? {} : { adminTools }),
    ...(scopes.length === 0 ? {} : { toolScopes: Object.fromEntries(scopes) }),
  }
  return Object.keys(access).length === 0 ? undefined : access
}

function toolScopesOf(entry: unknown): readonly [string, readonly string[]] {
  const [, name, scopes] = /^([^=]+)=(.+)$/.exec(String(entry)) ?? []
  if (name !== undefined && scopes !== undefined) return [name, listOf(scopes) ?? []]
  throw new GatewayError('config_invalid', `--tool-scopes takes name=scope,scope, not ${String(entry).slice(0, 40)}`)
}

/** How to sign in at the API, undefined when no flag speaks of it. */
export function upstreamFrom(flags: Flags): { readonly auth?: unknown; readonly baseUrl?: unknown } | undefined {
  const auth = upstreamAuthFrom(flags)
  if (auth === undefined && flags['baseUrl'] === undefined) return undefined
  return {
    ...(auth === undefined ? {} : { auth }),
    ...(flags['baseUrl'] === undefined ? {} : { baseUrl: flags['baseUrl'] }),
  }
}

/** Params of `--param`, `--login-url`, `--username`, `--password`. `@file` reads the value from a file. */
export function paramsFrom(flags: Flags): Record<string, string> {
  const params: Record<string, string> = {}
  const given: unknown = flags['param']
  for (const entry of Array.isArray(given) ? given : []) {
    const text = String(entry)
    const equals = text.indexOf('=')
    if (equals < 1) throw new GatewayError('config_invalid', `--param takes name=value, not ${text.slice(0, 40)}`)
    const name = text.slice(0, equals)
    params[name] = secretValue(`--param ${name}=…`, text.slice(equals + 1), isSecretName(name))
  }
  if (typeof flags['loginUrl'] === 'string') params['login_url'] = flags['loginUrl']
  if (typeof flags['username'] === 'string') params['username'] = secretValue('--username', flags['username'], false)
  if (typeof flags['password'] === 'string') params['password'] = secretValue('--password', flags['password'])
  return params
}

/** `all`, `reads`, or a list of names. */
export function toolsFrom(flags: Flags): unknown {
  const { tools } = flags
  if (typeof tools !== 'string') return undefined
  return tools === 'all' || tools === 'reads' ? tools : listOf(tools)
}

/** The parts of a list with commas, undefined when nothing is given. */
export function listOf(value: unknown): readonly string[] | undefined {
  if (typeof value !== 'string') return undefined
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

function upstreamAuthFrom(flags: Flags): unknown {
  const { bearer, apiKey, apiKeyHeader, loginUrl } = flags
  if (typeof apiKey === 'string')
    return { type: 'apiKey', header: apiKeyHeader, value: secretValue('--api-key', apiKey) }
  if (typeof bearer === 'string') return { type: 'bearer', token: secretValue('--bearer', bearer) }
  if (bearer === true || loginUrl !== undefined) return { type: 'bearer' }
  return undefined
}
