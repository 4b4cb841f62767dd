import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { modernCall, type StartContender } from '../contender.ts'
import { onFreePort } from '../free-port.ts'

const PLACES = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/local/bin/nginx', '/opt/homebrew/bin/nginx']
const TRIES = 100

/** Where nginx is; undefined when it is not installed. */
export function findNginx(): string | undefined {
  return PLACES.find((path) => existsSync(path))
}

/** nginx with one worker as a plain proxy with keep-alive on both sides: the POST goes to the API as it came, and no token is checked. */
export const start: StartContender = async (setup) => {
  const binary = findNginx()
  if (binary === undefined) throw new Error('nginx is not installed.')
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-nginx-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return onFreePort(async (port) => {
    const file = join(folder, 'nginx.conf')
    writeFileSync(file, configuration({ folder, port, upstream: new URL(setup.upstreamOrigin).host }))
    const child = spawn(binary, ['-c', file, '-p', folder, '-e', join(folder, 'error.log')], { stdio: 'ignore' })
    process.once('exit', () => child.kill())
    const ended = once(child, 'exit').then(() => Promise.reject(new Error('nginx has ended.')))
    await Promise.race([untilConnected(port), ended])
    ended.catch(() => {})
    return { ...modernCall(setup, `http://127.0.0.1:${port}/items/42`), pid: child.pid }
  })
}

function configuration({ folder, port, upstream }: { folder: string; port: number; upstream: string }): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder};`)
  // One process that does everything, so that its CPU is all there is.
  return `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off; ${temporary.join(' ')}
  keepalive_requests 100000000;
  upstream api { server ${upstream}; keepalive 128; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`
}

async function untilConnected(port: number): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const socket = connect({ port, host: '127.0.0.1' })
    try {
      await once(socket, 'connect')
      return
    } catch (error) {
      if (attempt === TRIES) throw error
      await setTimeout(20)
    } finally {
      socket.destroy()
    }
  }
}
