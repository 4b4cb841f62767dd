import type { EventStore, JSONRPCMessage } from '@modelcontextprotocol/server'

interface StoredEvent {
  readonly id: string
  readonly streamId: string
  readonly message: JSONRPCMessage
}

/** More than any session of a test sends; older ones are forgotten. */
const EVENTS_MAX = 1_000

/** What one session has sent, so that a client can come back with `Last-Event-ID` (2025-11-25, "Resumability and Redelivery"). */
export function eventStore(): EventStore {
  const events: StoredEvent[] = []
  let count = 0
  return {
    async storeEvent(streamId, message) {
      count += 1
      const id = `${count}`
      events.push({ id, streamId, message })
      if (events.length > EVENTS_MAX) events.shift()
      return id
    },
    getStreamIdForEventId: async (eventId) => events.find(({ id }) => id === eventId)?.streamId,
    async replayEventsAfter(lastEventId, { send }) {
      const last = events.findIndex(({ id }) => id === lastEventId)
      const streamId = events[last]?.streamId
      if (streamId === undefined) throw new Error('The event is unknown or too old.')
      // Only what the broken stream would have carried: another stream's messages must not arrive twice.
      for (const event of events.slice(last + 1)) {
        if (event.streamId === streamId && 'jsonrpc' in event.message) await send(event.id, event.message)
      }
      return streamId
    },
  }
}
