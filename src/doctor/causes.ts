import { ADDRESS_CAUSES } from './causes-of-address.ts'
import { METADATA_CAUSES } from './causes-of-metadata.ts'
import { SETTINGS_CAUSES } from './causes-of-settings.ts'
import { TOKEN_CAUSES } from './causes-of-token.ts'

/** Why a client is refused: what that means, and the change that mends it. Both are for whoever runs the doctor. */
export interface Cause {
  readonly meaning: string
  readonly fix: string
}

export type CauseCode =
  | keyof typeof ADDRESS_CAUSES
  | keyof typeof METADATA_CAUSES
  | keyof typeof TOKEN_CAUSES
  | keyof typeof SETTINGS_CAUSES

/** Every cause the doctor can name, in the order of docs/guide/doctor.md. The codes are for programs and do not change. */
export const CAUSES: Readonly<Record<CauseCode, Cause>> = {
  ...ADDRESS_CAUSES,
  ...METADATA_CAUSES,
  ...TOKEN_CAUSES,
  ...SETTINGS_CAUSES,
}
