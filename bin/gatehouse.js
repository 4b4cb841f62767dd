#!/usr/bin/env node
import './node-version.js'
import { existsSync } from 'node:fs'
import { restartLean } from './lean-memory.js'

// The other commands end before it matters.
if (process.argv[2] === 'start') restartLean()

// A clone runs its sources as they are; the published package has no src folder and runs what tsc built.
const source = new URL('../src/cli/main.ts', import.meta.url)
const built = new URL('../dist/main.js', import.meta.url)
const { main } = await import(existsSync(source) ? source.href : built.href)
await main(process.argv.slice(2))
