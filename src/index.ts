/** What a library user imports. Everything else may change without notice. */
export { type Config, type ConfigInput, loadConfig } from './config.ts'
export { type ErrorCode, type ErrorDetail, GatewayError } from './errors.ts'
export { type RunningGateway, startServer } from './server.ts'
export type { WorkspaceSettings } from './workspaces/settings.ts'
