import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { stringify } from 'yaml'
import { type Config, type ConfigInput, loadConfig } from '../config.ts'
import { GatewayError } from '../errors.ts'

/** Long enough, and in nobody's documentation. */
export const SECRET = 'kJ8vQ2mX7pL4wR9tZ6nB3sD5fG1hC0yA'

/** Where the config files of one test file stand; removed after its tests. */
export class ConfigFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'gatehouse-config-'))
  #files = 0

  constructor() {
    after(() => rmSync(this.path, { recursive: true }))
  }

  /** A config file with this text, or with these values as YAML. */
  write(content: unknown): string {
    this.#files += 1
    const path = join(this.path, `${this.#files}.yaml`)
    writeFileSync(path, typeof content === 'string' ? content : stringify(content))
    return path
  }

  /** The configuration that a file with this content makes. */
  load(content: unknown, more: Partial<ConfigInput> = {}): Config {
    return loadConfig({ file: this.write(content), env: {}, ...more })
  }
}

/** The message of the refusal; fails when there is none. */
export function refusalOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error))
    assert.equal(error.code, 'config_invalid')
    return error.message
  }
  throw new assert.AssertionError({ message: 'It was accepted.' })
}
