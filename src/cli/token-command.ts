import { Command } from 'commander'
import { readSecretFile } from '../config.ts'
import { explainToken } from '../doctor/explain-token.ts'
import { GatewayError } from '../errors.ts'
import { type IssuedNoun, issue, issueBody, issuedBase, issuedCommands, withIssueFlags } from './issued-command.ts'
import { print, printJson, printLine, table } from './terminal.ts'

const TOKEN: IssuedNoun = { path: '/api/tokens', noun: 'token' }

/** `gatehouse token …`: JWTs that the running gateway issues. */
export function tokenCommand(): Command {
  const command = new Command('token')
    .description('Issue, list and revoke tokens (JWTs) of the running gateway')
    .addCommand(createCommand())
  for (const one of issuedCommands(TOKEN)) command.addCommand(one)
  return command.addCommand(decodeCommand())
}

function createCommand(): Command {
  return withIssueFlags(issuedBase('create', 'Issue a token; its value is shown once'))
    .requiredOption('--desc <text>', 'what it is for')
    .option('--expires <lifetime>', 'after how long it ends: 15m, 1h, 30d, or never', '30d')
    .action((flags: Record<string, unknown>) =>
      issue(TOKEN, flags, { description: flags['desc'], ...issueBody(flags) }),
    )
}

function decodeCommand(): Command {
  return new Command('decode')
    .description('Show what is in a token, without asking anybody and without verifying it')
    .argument('<@file>', 'the file that holds it')
    .option('--json', 'print JSON')
    .action((given: string, flags: Record<string, unknown>) => {
      if (!given.startsWith('@')) {
        throw new GatewayError(
          'invalid_request',
          'Give the file that holds the token, as in @token.txt: others can see a command line.',
        )
      }
      const explained = explainToken(readSecretFile(given.slice(1)).trim(), Date.now())
      if (flags['json'] === true) return printJson(explained)
      print(
        table(
          Object.entries({ ...explained.header, ...explained.claims }).map(([name, value]) => [
            name,
            shown(name, value),
          ]),
        ),
      )
      print('\n')
      for (const finding of explained.findings) printLine(finding)
    })
}

const TIMES = new Set(['exp', 'iat', 'nbf'])

function shown(name: string, value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const date = TIMES.has(name) && typeof value === 'number' ? new Date(value * 1000) : undefined
  return date === undefined || Number.isNaN(date.getTime()) ? text : `${text} (${date.toISOString()})`
}
