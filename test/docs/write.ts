import { writeFileSync } from 'node:fs'
import { configReference } from './config-reference.ts'

// `npm run docs`: writes what is made from the sources.
writeFileSync(new URL('../../docs/reference/config.md', import.meta.url), configReference())
