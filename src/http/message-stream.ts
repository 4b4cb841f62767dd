import { Cancellation } from '../egress/cancel-signal.ts'
import { type EventSink, messageEvent } from './server-events.ts'

/**
 * The part of one answer on a stream that outlives it; `onEnd` is called when the answer is complete. Of an event only the
 * message goes on: the ids, names and delays of another server's stream would mean something else on this one.
 */
export function messagesOn(stream: EventSink, onEnd: () => void): EventSink {
  const closed = new Cancellation()
  const follow = { handleEvent: () => closed.abort() }
  if (stream.closed.aborted) closed.abort()
  else stream.closed.addEventListener('abort', follow)
  const end = () => {
    stream.closed.removeEventListener('abort', follow)
    closed.abort()
    onEnd()
  }
  return {
    send: ({ data }) => closed.aborted || !data || stream.send(messageEvent(data)),
    whenDrained: () => stream.whenDrained(),
    end,
    cut: end,
    closed,
  }
}
