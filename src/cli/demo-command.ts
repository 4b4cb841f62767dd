import { Command } from 'commander'

/** `gatehouse demo`: the main job on one machine, with an official MCP client; `--once` ends with 0 only if every step was right. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('See the main job: an API behind a login becomes a protected MCP endpoint')
    .option('--once', 'stop after the last step; exit code 0 only if every step was right')
    .action(async ({ once = false }: { once?: boolean }) => {
      const { runDemo } = await import('./run-demo.ts')
      if (!(await runDemo({ once }))) process.exitCode = 1
    })
}
