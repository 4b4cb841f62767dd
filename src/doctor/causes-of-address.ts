/** What keeps a client from speaking MCP with the address at all. */
export const ADDRESS_CAUSES = {
  url_invalid: {
    meaning: 'This is not a URL that a client can call.',
    fix: 'Give the whole address, with its scheme, as in https://mcp.example.com/shop-abcdefghijklmnop',
  },
  url_holds_secret: {
    meaning: 'The URL carries a credential, which ends up in logs and histories and is not looked at.',
    fix: 'Take it out of the URL and send it as Authorization: Bearer <token>.',
  },
  dns_unknown: {
    meaning: 'Nobody knows the host name.',
    fix: 'Check the spelling; if the name is new, add its DNS record and wait until it is known here.',
  },
  connection_refused: {
    meaning: 'The host is there and nothing listens on this port.',
    fix: 'Start the gateway, or correct the port. It listens on this machine only until host (--host) says otherwise.',
  },
  network_unreachable: {
    meaning: 'There is no way to this host’s network from here.',
    fix: 'Check the route, the VPN and the firewall between here and the host.',
  },
  connect_timeout: {
    meaning: 'Nothing answers in time.',
    fix: 'A firewall that drops packets, a stuck proxy or an overloaded server: look at each on the way, from the server outwards.',
  },
  connection_dropped: {
    meaning: 'The connection is taken and then dropped without an answer.',
    fix: 'Look into the log of the proxy or server on this port: it does not speak HTTP with us, or it crashed.',
  },
  not_http: {
    meaning: 'What answers is not HTTP.',
    fix: 'Another program has this port: correct the port.',
  },
  address_forbidden: {
    meaning: 'This address is one that is never called, such as that of a cloud’s metadata service.',
    fix: 'Name the gateway’s own address.',
  },
  http_on_tls_port: {
    meaning: 'The URL says http and the port speaks TLS.',
    fix: 'Write https:// instead of http:// in the client’s URL.',
  },
  https_on_http_port: {
    meaning: 'The URL says https and the port speaks plain HTTP.',
    fix: 'Name the port of the proxy that ends TLS; on this machine http:// will do.',
  },
  tls_untrusted: {
    meaning: 'The TLS certificate is not trusted: self-signed, or its chain is not complete.',
    fix: 'Serve the whole chain of a public authority’s certificate, or let the clients trust yours (NODE_EXTRA_CA_CERTS).',
  },
  tls_expired: {
    meaning: 'The TLS certificate is not valid at this time.',
    fix: 'Renew the certificate, and see why that did not happen by itself. If it is new, set this machine’s clock.',
  },
  tls_wrong_name: {
    meaning: 'The TLS certificate is for another name.',
    fix: 'Use the name that the certificate has, or get one for this name.',
  },
  tls_failed: {
    meaning: 'No TLS connection could be made.',
    fix: 'Let the server offer TLS 1.2 or 1.3 with current ciphers, without asking for a client certificate.',
  },
  http_not_https: {
    meaning: 'The URL says http, so everybody on the way can read the token. It was not sent.',
    fix: 'Put TLS in front of the gateway, set publicUrl to the https address, and give clients that.',
  },
  redirect_to_https: {
    meaning: 'The address redirects from http to https; clients do not follow with a POST or with their token.',
    fix: 'Give clients the https:// address.',
  },
  redirect_to_login: {
    meaning: 'A login page stands before the endpoint: a single sign-on proxy sends clients to it.',
    fix: 'Exempt this path (and /.well-known/) from that proxy’s sign-in. The gateway checks callers itself.',
  },
  redirect: {
    meaning: 'The address redirects; clients do not follow with a POST or with their token.',
    fix: 'Give clients the final address.',
  },
  host_refused: {
    meaning: 'The gateway does not answer to this Host name.',
    fix: 'Set publicUrl to the address that clients use, or add the name to allowedHosts. A proxy should pass Host on as it came.',
  },
  origin_refused: {
    meaning: 'Pages of this origin may not call.',
    fix: 'Add the origin to allowedOrigins (--allowed-origins), written as the browser sends it: scheme, host and port.',
  },
  cors_missing: {
    meaning: 'The answer does not let pages of this origin read it.',
    fix: 'Add the origin to allowedOrigins, and let the proxy pass OPTIONS requests and Access-Control-* headers on.',
  },
  cors_hides_challenge: {
    meaning: 'Pages may read the answer and not its WWW-Authenticate, so they never learn where to sign in.',
    fix: 'Let the proxy pass Access-Control-Expose-Headers on, with WWW-Authenticate and Mcp-Session-Id in it.',
  },
  forbidden_by_proxy: {
    meaning: 'The request is answered 403, and not by an MCP server.',
    fix: 'A firewall or proxy in front refuses it: let POST with JSON through to this path.',
  },
  workspace_unknown: {
    meaning: 'This is a Gatehouse, and it has no workspace at this path.',
    fix: 'Copy the URL from gatehouse workspace list: it ends in <slug>-<id>, and a workspace made again has another id. /mcp works while there is only one.',
  },
  workspace_id_missing: {
    meaning: 'This is a Gatehouse, and the path has a name without the id behind it.',
    fix: 'Use the whole path, /<slug>-<id>, as gatehouse workspace list shows it.',
  },
  double_slash: {
    meaning: 'The path has a double slash, and with a single one it would be right.',
    fix: 'Write it with single slashes; often a base URL ends in a slash and the path begins with one.',
  },
  trailing_slash: {
    meaning: 'The path ends in a slash, and without it it would be right.',
    fix: 'Leave the last slash out.',
  },
  wrong_path: {
    meaning: 'There is no MCP endpoint at this path, and there is one at another.',
    fix: 'Use the path that is named here.',
  },
  nothing_there: {
    meaning: 'There is nothing at this path, and no MCP endpoint at the usual ones.',
    fix: 'Check host and path. Behind a proxy, see that it passes the whole path on, without cutting or adding a part.',
  },
  post_refused: {
    meaning: 'The address does not take POST, which every MCP message is sent by.',
    fix: 'Correct the path; if it is right, let the proxy pass POST, GET and DELETE on.',
  },
  legacy_sse_only: {
    meaning: 'The address speaks only the SSE transport of 2024.',
    fix: 'Point clients of that transport at it, or put Gatehouse before it (gatehouse protect), or update the server.',
  },
  not_mcp: {
    meaning: 'What answers is not an MCP server.',
    fix: 'Correct the URL: it leads to a web page or another API. The endpoint is /<slug>-<id>, or /mcp.',
  },
  login_page: {
    meaning: 'A login page answers in place of the MCP server.',
    fix: 'Exempt this path (and /.well-known/) from the sign-in of the proxy in front. The gateway checks callers itself.',
  },
  proxy_wants_login: {
    meaning: 'The endpoint asks for another sign-in than Bearer: a proxy in front has its own.',
    fix: 'Take the proxy’s sign-in off this path: the Authorization header can hold one credential, and that is the caller’s token.',
  },
  proxy_without_gateway: {
    meaning: 'A proxy answers, and the server behind it does not.',
    fix: 'Start the gateway, and let the proxy point to the host and port that it listens on.',
  },
  server_error: {
    meaning: 'The server fails on a plain first message.',
    fix: 'Look into its log for this request.',
  },
  rate_limited: {
    meaning: 'Too many requests or refused credentials came from here lately.',
    fix: 'Wait as long as Retry-After says. If this is everybody’s proxy address, raise rateLimiting or failedAuth, or leave them out.',
  },
  unexpected_answer: {
    meaning: 'The answer is neither MCP nor a challenge.',
    fix: 'See what stands between here and the server; the status that is named here says who answered.',
  },
  clock_differs: {
    meaning: 'The clocks of this machine and of the server differ, so tokens are too old or too new for one of them.',
    fix: 'Let both take their time from NTP. clockToleranceSeconds bridges a few seconds, not more.',
  },
  era_unknown: {
    meaning: 'The server speaks no revision of MCP that is known here.',
    fix: 'Update the server, or this gatehouse.',
  },
  mcp_headers_stripped: {
    meaning: 'The headers of MCP do not reach the server, so clients of the 2026 revision are refused.',
    fix: 'Let the proxy pass MCP-Protocol-Version, Mcp-Method, Mcp-Name and Mcp-Session-Id on.',
  },
  stream_buffered: {
    meaning: 'Streams of events do not come through: something on the way holds them back.',
    fix: 'Turn buffering off in the proxy for this path (nginx: proxy_buffering off; proxy_http_version 1.1) and give it a long read timeout.',
  },
} as const
