import { readFile } from 'node:fs/promises'
import { compileAccess, unknownNames as namesUnknownTo } from '../authorize/compile-access.ts'
import type { Config, FileWorkspace } from '../config.ts'
import { GatewayError } from '../errors.ts'
import { slugOf } from '../manage/workspace-manager.ts'
import { createCatalog } from '../tools/catalog.ts'
import { parseDocument } from '../tools/document.ts'
import { importOpenApi } from '../tools/from-openapi.ts'
import type { InboundAuthSettings } from '../workspaces/settings.ts'

/** What a workspace of the config file would be, in words. */
export interface CheckedWorkspace {
  readonly slug: string
  readonly tools: string
  readonly callers: string
}

/**
 * Reads the API descriptions that stand beside the config file, as a start would. Fetches nothing; `loadConfig` has checked
 * the settings themselves.
 *
 * @throws GatewayError `config_invalid` with one line a problem.
 */
export async function checkWorkspaces(config: Config): Promise<readonly CheckedWorkspace[]> {
  const checked: CheckedWorkspace[] = []
  const problems: string[] = []
  for (const workspace of config.workspaces) {
    const slug = workspace.slug ?? slugOf(workspace.name)
    try {
      checked.push({ slug, tools: await toolsOf(workspace), callers: callersOf(workspace.auth ?? config.auth) })
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      problems.push(`${slug}: ${error.message}`)
    }
  }
  if (problems.length === 0) return checked
  const lines = problems.map((problem) => `  ${problem}`).join('\n')
  throw new GatewayError('config_invalid', `The configuration is not usable:\n${lines}`)
}

async function toolsOf({ source, tools, upstream, access }: FileWorkspace): Promise<string> {
  compileAccess(access, { kind: 'document', tools: [] })
  if (source === undefined) return 'no API description'
  if (/^https?:\/\//i.test(source)) return 'the API description is fetched at the start'
  const text = await readFile(source, 'utf8').catch((error: unknown) => {
    throw new GatewayError('config_invalid', `The API description ${source} cannot be read.`, { cause: error })
  })
  const imported = importOpenApi(parseDocument(text), { documentUrl: undefined, baseUrl: upstream.baseUrl })
  const { all, enabled, unknownNames } = await createCatalog(imported, tools)
  if (unknownNames.length > 0) {
    throw new GatewayError('config_invalid', `tools: there is no tool ${unknownNames.join(', ')}.`)
  }
  const closing = namesUnknownTo(access, imported.tools)
  if (closing.length > 0) throw new GatewayError('config_invalid', `access: there is no tool ${closing.join(', ')}.`)
  return `${enabled.size} of ${all.length} tools on`
}

function callersOf(auth: InboundAuthSettings | undefined): string {
  switch (auth?.authType) {
    case 'jwt':
      return 'callers need a JWT'
    case 'dev':
      return 'everybody is believed'
    case 'oauth':
    case 'both':
      return 'callers need a token'
    case 'none':
      return 'everybody may call'
    case undefined:
      return 'everybody on this machine may call'
  }
}
