// The control server: what a test does to the network while it runs. Loopback only.
//
//   GET  /info                     what up.mjs printed, with the present process ids (null: down)
//   GET  /mail?to=ADDRESS          [{to, subject, token, text}], oldest first; token is null where a mail has none
//   POST /kill/NAME                SIGKILL; NAME is A, B or plc
//   POST /stop/NAME                closes it in order
//   POST /start/NAME               starts it again, at the same port, with everything it knew
//   POST /backdate {did, hours}    moves the DID's operations into the past
//   POST /invite   {uses?}         {code} for a new account on B
//   GET  /xrpc/com.atproto.identity.resolveHandle?handle=H    asks A, then B: a resolver for the whole network
//
// Answers are JSON; a mistake is {error} with a status of 400 or more.
import http from 'node:http';

/** Serves on the listening `socket`. */
export function startControl(socket, network) {
  const server = http.createServer((request, response) => {
    answer(request, network)
      .catch((error) => [error.status ?? 500, { error: error.message }])
      .then(([status, body]) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body));
      });
  });
  socket.on('connection', (connection) => server.emit('connection', connection));
}

async function answer(request, { facts, servers, mail, secrets }) {
  const url = new URL(request.url, 'http://localhost');
  const [, verb, name] = url.pathname.split('/');
  const route = `${request.method} /${verb}`;
  switch (route) {
    case 'GET /info':
      return [200, facts()];
    case 'GET /mail':
      return [200, mail.to(url.searchParams.get('to') ?? refuse(400, '?to=ADDRESS is missing'))];
    case 'POST /kill':
    case 'POST /stop':
    case 'POST /start': {
      const server = servers[name] ?? refuse(404, `no server "${name}"; there are ${Object.keys(servers).join(', ')}`);
      await server[verb]();
      return [200, { name, pid: server.pid }];
    }
    case 'POST /backdate':
      return relay(`${facts().plc}/_test/backdate`, await readJson(request));
    case 'POST /invite': {
      const { uses = 1 } = await readJson(request);
      const admin = `Basic ${Buffer.from(`admin:${secrets.B.admin}`).toString('base64')}`;
      return relay(`${facts().B}/xrpc/com.atproto.server.createInviteCode`, { useCount: uses }, admin);
    }
    case 'GET /xrpc':
      if (name === 'com.atproto.identity.resolveHandle') return resolve(url.search, facts());
  }
  return refuse(404, `nothing at ${route}`);
}

async function relay(address, body, authorization) {
  const headers = { 'content-type': 'application/json', ...(authorization ? { authorization } : {}) };
  const response = await fetch(address, { method: 'POST', headers, body: JSON.stringify(body) });
  return [response.status, await response.json()];
}

/** `.test` is known only to the PDS that hosts it. While one is down, nobody can say that a handle is unknown. */
async function resolve(search, { A, B }) {
  let down = false;
  for (const pds of [A, B]) {
    try {
      const response = await fetch(`${pds}/xrpc/com.atproto.identity.resolveHandle${search}`);
      if (response.ok) return [200, await response.json()];
    } catch {
      down = true;
    }
  }
  if (down) return [502, { error: 'UpstreamFailure', message: 'A host does not answer' }];
  return [400, { error: 'HandleNotFound', message: 'Unable to resolve handle' }];
}

async function readJson(request) {
  let text = '';
  for await (const part of request.setEncoding('utf8')) {
    text += part;
    if (text.length > 65536) refuse(413, 'more than 64 KiB');
  }
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch {
    return refuse(400, 'the body is not JSON');
  }
}

function refuse(status, message) {
  throw Object.assign(new Error(message), { status });
}
