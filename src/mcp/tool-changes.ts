/** Tells open streams that the tools of their workspace have changed. */
export class ToolChanges {
  readonly #listeners = new Map<string, Set<() => void>>()

  /** Calls `listener` at every change until the result is called. */
  listen(workspaceId: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(workspaceId) ?? new Set()
    this.#listeners.set(workspaceId, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(workspaceId) === listeners) this.#listeners.delete(workspaceId)
    }
  }

  tell(workspaceId: string): void {
    for (const listener of [...(this.#listeners.get(workspaceId) ?? [])]) listener()
  }
}
