import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import * as z from 'zod'
import { importAnswer, toolsAnswer, workspaceAnswer } from '../api/contract.ts'
import { GatewayError } from '../errors.ts'
import type { AdminClient } from './admin-client.ts'
import { addAuthOptions, addConnectionOptions, clientFrom } from './config-options.ts'
import { print, printJson, printLine, table } from './terminal.ts'
import {
  accessFrom,
  addAccessOptions,
  authFrom,
  collect,
  paramsFrom,
  toolsFrom,
  upstreamFrom,
} from './workspace-flags.ts'

type Flags = Record<string, unknown>

/** `gatehouse workspace …`: what `/api` does with workspaces, from the command line. */
export function workspaceCommand(): Command {
  return new Command('workspace')
    .description('Make and change workspaces of the running gateway')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(setCommand())
    .addCommand(importCommand())
    .addCommand(toolsCommand())
    .addCommand(deleteCommand())
}

function base(name: string, description: string): Command {
  const command = new Command(name).description(description)
  return addConnectionOptions(command).option('--json', 'print JSON')
}

function withSettings(command: Command): Command {
  return addAccessOptions(addAuthOptions(command))
    .option('--base-url <url>', 'API base URL, instead of the document’s own')
    .option('--bearer [token]', 'sign in with a bearer token: @file, or nothing when a login gives it')
    .option('--api-key <key>', 'sign in with an API key: @file')
    .option('--api-key-header <name>', 'its header', 'X-Api-Key')
    .option('--param <name=value>', 'custom param, kept sealed; value may be @file. May be repeated', collect, [])
    .option('--login-url <url>', 'login endpoint: short for --bearer --param login_url=…')
    .option('--username <name>', 'short for --param username=…')
    .option('--password <password>', 'short for --param password=…; @file')
    .option('--tools <list>', 'all, reads (the default), or names with commas')
}

function createCommand(): Command {
  return withSettings(base('create', 'Make a workspace'))
    .requiredOption('--name <name>', 'its name')
    .option('--slug <slug>', 'its part of the URL; default: made from the name')
    .option('--spec <url or file>', 'API description to import')
    .action((flags: Flags) =>
      withClient(flags, async (client) => {
        const created = await client.call('POST', '/api/workspaces', workspaceAnswer, {
          name: flags['name'],
          slug: flags['slug'],
          source: flags['spec'] === undefined ? undefined : await sourceFrom(String(flags['spec'])),
          auth: authFrom(flags),
          access: accessFrom(flags),
          upstream: upstreamFrom(flags),
          params: paramsFrom(flags),
          tools: toolsFrom(flags),
        })
        await printWorkspace(client, created, flags)
      }),
    )
}

function listCommand(): Command {
  return base('list', 'List the workspaces').action((flags: Flags) =>
    withClient(flags, async (client) => {
      const workspaces = await client.call('GET', '/api/workspaces', z.array(workspaceAnswer))
      if (flags['json'] === true) return printJson(workspaces)
      if (workspaces.length === 0) return print('No workspaces.\n')
      print(table([['SLUG', 'NAME', 'URL'], ...workspaces.map(({ slug, name, url }) => [slug, name, url])]))
    }),
  )
}

function showCommand(): Command {
  return base('show', 'Show a workspace and its tools')
    .argument('<workspace>', 'slug or id')
    .action((reference: string, flags: Flags) =>
      withClient(flags, async (client) => {
        await printWorkspace(client, await client.call('GET', pathOf(reference), workspaceAnswer), flags)
      }),
    )
}

function setCommand(): Command {
  return withSettings(base('set', 'Change a workspace; what is not given stays'))
    .argument('<workspace>', 'slug or id')
    .option('--name <name>', 'new name')
    .action((reference: string, flags: Flags) =>
      withClient(flags, async (client) => {
        const params = paramsFrom(flags)
        const change = {
          name: flags['name'],
          auth: authFrom(flags),
          access: accessFrom(flags),
          upstream: upstreamFrom(flags),
          params: Object.keys(params).length === 0 ? undefined : params,
          tools: toolsFrom(flags),
        }
        await printWorkspace(client, await client.call('PATCH', pathOf(reference), workspaceAnswer, change), flags)
      }),
    )
}

function importCommand(): Command {
  return base('import', 'Import an API description, or the last URL again')
    .argument('<workspace>', 'slug or id')
    .argument('[spec]', 'URL or file')
    .action((reference: string, spec: string | undefined, flags: Flags) =>
      withClient(flags, async (client) => {
        const source = spec === undefined ? undefined : await sourceFrom(spec)
        const result = await client.call('POST', `${pathOf(reference)}/import`, importAnswer, source)
        if (flags['json'] === true) return printJson(result)
        for (const kind of ['added', 'changed', 'removed'] as const) {
          if (result[kind].length > 0) printLine(`${kind}: ${result[kind].join(', ')}`)
        }
        if (result.added.length + result.changed.length + result.removed.length === 0) print('Nothing has changed.\n')
        for (const { operation, reason } of result.setAside) printLine(`set aside: ${operation}: ${reason}`)
        for (const warning of result.warnings) printLine(`warning: ${warning}`)
      }),
    )
}

function toolsCommand(): Command {
  return base('tools', 'Show the tools, or switch some on and off')
    .argument('<workspace>', 'slug or id')
    .option('--on <names>', 'tools to switch on, with commas')
    .option('--off <names>', 'tools to switch off')
    .action((reference: string, flags: Flags) =>
      withClient(flags, async (client) => {
        const names = (list: unknown) => (typeof list === 'string' ? list.split(',').map((name) => name.trim()) : [])
        const on = names(flags['on']).map((name) => [name, true])
        const off = names(flags['off']).map((name) => [name, false])
        const path = `${pathOf(reference)}/tools`
        const switches = [...on, ...off]
        const tools =
          switches.length === 0
            ? await client.call('GET', path, toolsAnswer)
            : await client.call('PATCH', path, toolsAnswer, Object.fromEntries(switches))
        if (flags['json'] === true) printJson(tools)
        else printTools(tools)
      }),
    )
}

function deleteCommand(): Command {
  return base('delete', 'Delete a workspace and its settings')
    .argument('<workspace>', 'slug or id')
    .action((reference: string, flags: Flags) =>
      withClient(flags, async (client) => {
        await client.call('DELETE', pathOf(reference), z.undefined())
        if (flags['json'] === true) return printJson({ deleted: reference })
        printLine(`${reference} is deleted.`)
      }),
    )
}

async function withClient(flags: Flags, work: (client: AdminClient) => Promise<void>): Promise<void> {
  await using client = clientFrom(flags)
  await work(client)
}

async function printWorkspace(
  client: AdminClient,
  workspace: z.output<typeof workspaceAnswer>,
  flags: Flags,
): Promise<void> {
  if (flags['json'] === true) return printJson(workspace)
  print(
    table([
      ['name', workspace.name],
      ['id', workspace.id],
      ['MCP URL', workspace.url],
      ['callers', callersIn(workspace.auth)],
      ['public', publicIn(workspace.access)],
      ['params', savedIn(workspace.params)],
    ]),
  )
  printTools(await client.call('GET', `${pathOf(workspace.id)}/tools`, toolsAnswer))
}

/** What `auth` says, in words. */
function callersIn(auth: unknown): string {
  const parsed = z.object({ authType: z.string() }).nullable().safeParse(auth)
  if (!parsed.success) return '-'
  if (parsed.data === null) return 'as the gateway’s own setting says'
  switch (parsed.data.authType) {
    case 'none':
      return 'everybody may call'
    case 'dev':
      return 'are believed (authType dev)'
    case 'oauth':
      return 'sign in'
    case 'both':
      return 'sign in, or need a JWT'
    default:
      return 'need a JWT'
  }
}

/** What is open without a token. */
function publicIn(access: z.output<typeof workspaceAnswer>['access']): string {
  const { requireAuthForToolsCall, publicTools, publicCategories } = access
  if (!requireAuthForToolsCall) return 'all tools but those with scopes'
  const named = publicTools === 'default' ? ['those marked x-public'] : publicTools
  return [...named, ...publicCategories.map((category) => `category ${category}`)].join(', ') || '-'
}

function savedIn(params: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(params)
  return names.length === 0 ? '-' : `${names.join(', ')} (saved)`
}

function printTools({ tools, setAside, warnings }: z.output<typeof toolsAnswer>): void {
  const rows = tools.map(({ enabled, name, method, path }) => [enabled ? 'on' : 'off', name, method, path])
  if (rows.length > 0) print(`\n${table([['', 'TOOL', 'METHOD', 'PATH'], ...rows])}`)
  for (const { operation, reason } of setAside) printLine(`set aside: ${operation}: ${reason}`)
  for (const warning of warnings) printLine(`warning: ${warning}`)
  for (const warning of new Set(tools.flatMap((tool) => (tool.warning === undefined ? [] : [tool.warning])))) {
    const count = tools.filter((tool) => tool.warning === warning).length
    printLine(`warning: ${count === 1 ? '1 tool' : `${count} tools`} cannot be called: ${warning}`)
  }
}

async function sourceFrom(spec: string): Promise<{ url: string } | { document: string }> {
  if (/^https?:\/\//i.test(spec)) return { url: spec }
  try {
    return { document: await readFile(spec, 'utf8') }
  } catch (error) {
    throw new GatewayError('config_invalid', `${spec} cannot be read.`, { cause: error })
  }
}

function pathOf(reference: string): string {
  return `/api/workspaces/${encodeURIComponent(reference)}`
}
