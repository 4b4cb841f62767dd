import type { Account } from '../accounts/account.ts'
import { FirstRunCode } from '../accounts/first-run.ts'
import { Passwords } from '../accounts/password.ts'
import { People } from '../accounts/people.ts'
import { SignIns } from '../accounts/sign-ins.ts'
import { GatewayError } from '../errors.ts'
import { createSignInLimits } from '../limits/sign-in-limits.ts'
import { Accounts, type Change } from '../manage/accounts.ts'
import { Entrance } from '../manage/entrance.ts'
import { Team } from '../manage/team.ts'
import type { Store } from '../store/store.ts'

export interface PeopleParts {
  readonly store: Store
  readonly change: Change
  readonly defaultAccount: Account
  readonly now: () => number
}

/** Everything about people that `/api` works on. */
export interface OpenPeople {
  readonly people: People
  readonly accounts: Accounts
  readonly team: Team
  readonly entrance: Entrance
  readonly signIns: SignIns
  readonly firstRun: FirstRun
}

/** The code that makes the first owner, and where it is shown. */
export interface FirstRun {
  /**
   * Shows codes here from now on: one at once when there is nobody yet, and one whenever it is asked for. Nothing but `show`
   * ever gets to see them: no log has one.
   */
  announce(show: (code: string) => void): Promise<void>
  readonly show: (code: string) => void
}

export function openPeople({ store, change, defaultAccount, now }: PeopleParts): OpenPeople {
  const passwords = new Passwords()
  const people = new People({ store, passwords })
  const limits = createSignInLimits()
  const signIns = new SignIns({ store, people, now })
  const firstRunCode = new FirstRunCode(now)
  const entrance = new Entrance({
    ...{ store, people, passwords, signIns, limits, firstRunCode, defaultAccount, change, now },
  })
  return {
    people,
    signIns,
    entrance,
    accounts: new Accounts({ store, change, now }),
    team: new Team({ store, passwords, change, now }),
    firstRun: firstRunOf(entrance, store),
  }
}

function firstRunOf(entrance: Entrance, store: Pick<Store, 'people'>): FirstRun {
  let shown: ((code: string) => void) | undefined
  return {
    async announce(show) {
      shown = show
      if (await store.people.isEmpty()) show(await entrance.newFirstRunCode())
    },
    show(code) {
      if (shown === undefined) throw new GatewayError('unavailable', 'This gateway has no terminal to show a code on.')
      shown(code)
    },
  }
}
