import { sampleRefreshKills } from './refresh-kills-sample.ts'

// no session is lost when the provider is killed in the middle of a refresh
sampleRefreshKills('file')
