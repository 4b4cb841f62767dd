import { type AskingClient, destinationOf, nameOf, warningAbout } from './asking-client.ts'
import { type Html, html } from './html.ts'

export interface SignInPage {
  readonly action: string
  readonly formKey: string
  readonly client: AskingClient
  readonly workspace: string
  readonly providers: readonly { readonly id: string; readonly name: string }[]
  /** Whether there are people of our own, who have a password here. */
  readonly hasPasswords: boolean
  readonly email: string
  /** Why the last try did not work. */
  readonly problem: string | undefined
}

/** Asks who it is: own people by password, others by a provider. The client is named before anybody is sent anywhere. */
export function signInPage(page: SignInPage): Html {
  const { client, workspace, problem, providers, hasPasswords } = page
  return html`<h1>Sign in to ${workspace}</h1>
${problem === undefined ? undefined : html`<p class="bad" role="alert" id="problem">${problem}</p>`}
<p><strong>${nameOf(client)}</strong> wants to use <strong>${workspace}</strong> as you. The answer goes to ${destinationOf(client.redirectUri)}. After you have signed in you are asked what it may do.</p>
${warningAbout(client)}
${hasPasswords ? passwordForm(page) : undefined}
${providers.map((provider) => providerForm(page, provider))}
<form method="post" action="${page.action}">
<input type="hidden" name="key" value="${page.formKey}">
<button name="do" value="deny">Cancel</button>
</form>`
}

function passwordForm({ action, formKey, email, problem }: SignInPage): Html {
  const described = problem === undefined ? undefined : html` aria-invalid="true" aria-describedby="problem"`
  return html`<form method="post" action="${action}">
<input type="hidden" name="key" value="${formKey}">
<label for="email">E-mail</label>
<input id="email" name="email" type="email" autocomplete="username" required maxlength="254" value="${email}"${described}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="1024"${described}>
<button class="main" name="do" value="password">Sign in</button>
</form>`
}

function providerForm(
  { action, formKey }: SignInPage,
  { id, name }: { readonly id: string; readonly name: string },
): Html {
  return html`<form method="post" action="${action}">
<input type="hidden" name="key" value="${formKey}">
<input type="hidden" name="provider" value="${id}">
<button name="do" value="provider">Sign in with ${name}</button>
</form>`
}
