import { readFileSync, writeFileSync } from 'node:fs'
import { configReference } from './config-reference.ts'
import { doctorPage } from './doctor-causes.ts'

// `npm run docs`: writes what is made from the sources.
writeFileSync(new URL('../../docs/reference/config.md', import.meta.url), configReference())

const doctor = new URL('../../docs/guide/doctor.md', import.meta.url)
writeFileSync(doctor, doctorPage(readFileSync(doctor, 'utf8')))
