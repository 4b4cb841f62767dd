import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib'
import { GatewayError } from '../errors.ts'
import type { OutgoingRequest, OutgoingResponse } from './egress.ts'
import { tooLarge } from './failure.ts'

/** Whether an answer of so many bytes is compressed, although no `Accept-Encoding` was sent (RFC 9110 §12.5.3 allows it). */
export function isEncoded(headers: OutgoingResponse['headers'], bytes: number): boolean {
  const encoding = headers['content-encoding']
  return encoding !== undefined && encoding !== '' && encoding !== 'identity' && bytes > 0
}

/**
 * The answer with its body unpacked, outside the event loop. Unpacking stops at `responseBytesMax`, so a bomb costs no more
 * memory than an honest answer.
 *
 * @throws GatewayError `upstream_too_large`, or `upstream_unreachable` when the body is broken or packed in another way.
 */
export async function decodeBody(request: OutgoingRequest, response: OutgoingResponse): Promise<OutgoingResponse> {
  const body = await unpack(request, response)
  const { 'content-encoding': _encoding, 'content-length': _length, ...headers } = response.headers
  return { status: response.status, headers, body }
}

async function unpack(request: OutgoingRequest, { headers, body }: OutgoingResponse): Promise<Buffer> {
  const limit = { maxOutputLength: request.responseBytesMax }
  try {
    switch (String(headers['content-encoding']).trim().toLowerCase()) {
      case 'gzip':
      case 'x-gzip':
        return await promisify(gunzip)(body, limit)
      case 'br':
        return await promisify(brotliDecompress)(body, limit)
      case 'deflate':
        // Some servers send deflate without the zlib wrapper; its first byte tells (RFC 1950 §2.2).
        return await promisify(((body[0] ?? 0) & 0x0f) === 8 ? inflate : inflateRaw)(body, limit)
      default:
        throw unreadable(request)
    }
  } catch (error) {
    if (error instanceof GatewayError) throw error
    const isTooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
    throw isTooLarge ? tooLarge(request) : unreadable(request)
  }
}

function unreadable(request: OutgoingRequest): GatewayError {
  const subject = request.calledAs ?? 'The server'
  return new GatewayError('upstream_unreachable', `${subject} sent an answer whose compression cannot be read.`)
}
