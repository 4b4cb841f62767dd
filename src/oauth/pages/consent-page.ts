import { type AskingClient, destinationOf, nameOf, warningAbout } from './asking-client.ts'
import { type Html, html } from './html.ts'

export interface ConsentPage {
  readonly action: string
  readonly formKey: string
  readonly client: AskingClient
  readonly workspace: string
  readonly person: string
  /** What it wants to do, in words. */
  readonly scopes: readonly string[]
  /** Why this person cannot allow it; undefined: he can. */
  readonly problem: string | undefined
}

/** Asks whether the client may. Shown for every client in every browser, whoever is signed in already (THREATS.md, T5). */
export function consentPage(page: ConsentPage): Html {
  const { action, formKey, client, workspace, person, scopes, problem } = page
  return html`<h1>Let ${nameOf(client)} use ${workspace}?</h1>
${problem === undefined ? undefined : html`<p class="bad" role="alert">${problem}</p>`}
${warningAbout(client)}
<dl>
<dt>App</dt><dd>${nameOf(client)}</dd>
<dt>The answer goes to</dt><dd>${destinationOf(client.redirectUri)}</dd>
<dt>Workspace</dt><dd>${workspace}</dd>
<dt>Signed in as</dt><dd>${person}</dd>
</dl>
<h2>It will be able to</h2>
<ul>
${scopes.map((scope) => html`<li>${scope}</li>`)}
</ul>
<form method="post" action="${action}">
<input type="hidden" name="key" value="${formKey}">
${problem === undefined ? html`<button class="main" name="do" value="allow">Allow</button>` : undefined}
<button name="do" value="deny">Do not allow</button>
<button name="do" value="switch">Use another account</button>
</form>
<p class="soft">You can end this at any time: ask whoever runs ${workspace}, or sign out.</p>`
}
