import { existsSync } from 'node:fs'
import { type Command, Option } from 'commander'
import {
  AUTH_NAMES,
  type Config,
  configSchema,
  loadConfig,
  loadConnection,
  OPTION_NAMES,
  processEnvironment,
  readSecretFile,
} from '../config.ts'
import { type AdminClient, createAdminClient } from './admin-client.ts'

const DEFAULT_FILE = 'gatehouse.yaml'
const CONNECTION_FLAGS: ReadonlySet<string> = new Set(['host', 'port', 'keysDir'])
/** Options that may stand in a file. A secret should: anybody on the machine can read a command line (PRODUCT.md, 14). */
const KEY_FLAGS = [
  ['secret', '--jwt-secret'],
  ['publicKey', '--public-key'],
] as const

/** Adds `--config` and every option of the configuration that has a flag. */
export function addConfigOptions(command: Command): Command {
  command.option('--config <file>', `config file (default: ${DEFAULT_FILE} if it is there)`)
  return addOptions(command, () => true)
}

/** Adds the flags that describe one verifier of callers. */
export function addAuthOptions(command: Command): Command {
  command.addOption(
    new Option('--auth <type>', 'none: everybody may call. jwt: set one of the keys below').choices(['none', 'jwt']),
  )
  for (const { flag, doc, env } of AUTH_NAMES) command.option(flag, `${doc} [${env}]`)
  return command
    .option('--allow-any-audience', 'accept every aud: any token of that issuer opens every workspace')
    .option('--required-scopes <list>', 'scopes that every call needs')
}

/** Adds the options that name the gateway to talk to. */
export function addConnectionOptions(command: Command): Command {
  command
    .option('--config <file>', `config file (default: ${DEFAULT_FILE} if it is there)`)
    .option('--gateway <url>', 'the gateway to talk to (default: where this configuration listens)')
    .option('--account <account>', 'the account that it is about: slug or id (default: the default account)')
  return addOptions(command, (key) => CONNECTION_FLAGS.has(key))
}

/** The gateway that these flags, the environment and the config file name. */
export function clientFrom(flags: Readonly<Record<string, unknown>>): AdminClient {
  const { host, port, keysDir, gateway, account } = flags
  const file = configFile(flags)
  const connection = loadConnection({ file, flags: { host, port, keysDir }, env: processEnvironment() })
  return createAdminClient(connection, {
    url: typeof gateway === 'string' ? gateway : undefined,
    account: typeof account === 'string' ? account : undefined,
  })
}

function addOptions(command: Command, isWanted: (key: string) => boolean): Command {
  for (const { key, flag, env } of OPTION_NAMES) {
    if (flag === undefined || !isWanted(key)) continue
    const { description = '' } = configSchema.shape[key]
    command.option(flag, env === undefined ? description : `${description} [${env}]`)
  }
  return command
}

/** The configuration that these flags, the environment and the config file make together. */
export function configFrom(
  flags: Readonly<Record<string, unknown>>,
  { file }: { readonly file: string | undefined } = { file: configFile(flags) },
): Config {
  return loadConfig({ file, flags: namesOfSchema(flags), env: processEnvironment() })
}

function configFile({ config }: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof config === 'string') return config
  return existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined
}

/** `--jwt-secret` is `jwtSecret` to commander and `secret` to the schema. */
function namesOfSchema(flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { auth, jwtSecret, requiredScopes, config, ...rest } = flags
  const named: Record<string, unknown> = { ...rest }
  if (auth !== undefined) named['authType'] = auth
  if (typeof jwtSecret === 'string') named['secret'] = jwtSecret
  if (typeof requiredScopes === 'string') named['requiredScopes'] = scopesOf(requiredScopes)
  for (const [key, flag] of KEY_FLAGS) {
    const value = named[key]
    if (typeof value === 'string') named[key] = secretValue(flag, value, key === 'secret')
  }
  return named
}

/** An empty one stays one, to be refused: a variable of the shell that is not set must not mean that nothing is required. */
export function scopesOf(list: string): readonly string[] {
  return list.split(',').map((scope) => scope.trim())
}

/** `@file` reads the file. A secret that stands on the command line works, with a warning. */
export function secretValue(flag: string, value: string, isSecret = true): string {
  if (value.startsWith('@')) return readSecretFile(value.slice(1))
  if (isSecret) {
    process.stderr.write(
      `Warning: ${flag} is a secret on the command line, where others can see it. Better: ${flag} @file\n`,
    )
  }
  return value
}
