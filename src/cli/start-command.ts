import { Command } from 'commander'
import { addAuthOptions, addConfigOptions, configFrom } from './config-options.ts'

/** `gatehouse start`: the gateway on its store, over HTTP or, with `--stdio`, one workspace over stdio. */
export function startCommand(): Command {
  const command = new Command('start').description('Run the gateway')
  addAuthOptions(addConfigOptions(command))
  return command
    .option('--stdio [workspace]', 'serve one workspace over stdio to the program that started this one')
    .action(async (flags: Record<string, unknown>) => {
      const config = configFrom(flags)
      // Loaded when it is needed: the commands that only talk to a gateway start in half the time.
      const { serveHttp, serveStdio } = await import('./serve.ts')
      if (flags['stdio'] === undefined) await serveHttp(config)
      else await serveStdio(config, flags['stdio'])
    })
}
