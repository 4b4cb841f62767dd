import { Command } from 'commander'
import { loadConfig, processEnvironment } from '../config.ts'
import { print, table } from './terminal.ts'

/** `gatehouse config check [FILE]`: says what is wrong with a config file without starting anything. */
export function configCommand(): Command {
  const check = new Command('check')
    .description('Check a config file; exit code 1 when something in it is wrong. Nothing is fetched')
    .argument('[file]', 'config file', 'gatehouse.yaml')
    .action(async (file: string) => {
      const config = loadConfig({ file, env: processEnvironment() })
      const { checkWorkspaces } = await import('./check-workspaces.ts')
      const rows = await checkWorkspaces(config)
      const count = rows.length
      print(
        `${file} is good: ${count} ${count === 1 ? 'workspace' : 'workspaces'}, listening on ${config.host}:${config.port}.\n`,
      )
      print(table(rows.map(({ slug, tools, callers }) => [`  ${slug}`, tools, callers])))
    })
  return new Command('config').description('Look at the configuration').addCommand(check)
}
