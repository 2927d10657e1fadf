// The reference PLC directory in a process of its own, made to remember and as strict as the present public one.
//
// The published server is from 2023. What it lacks is added in front of it: the DID document in its present form, the
// limits on a submitted operation, and a hook that moves a DID's operations into the past (POST /_test/backdate).
import http from 'node:http';
import path from 'node:path';
import { serve } from './lib/child.mjs';

await serve(async () => {
  const { PlcServer } = (await import('@did-plc/server')).default;
  const { Directory } = await import('./lib/plc/directory.mjs');
  const { didDocument } = await import('./lib/plc/document.mjs');
  const { acceptable } = await import('./lib/plc/constraints.mjs');

  const directory = await Directory.open(path.join(process.env.SKYKEEP_PLC_DIR, 'operations.jsonl'));
  const { app } = PlcServer.create({ db: directory, version: '0.0.1' });

  const front = {
    async 'GET /:did'(did) {
      const data = await directory.data(did);
      return data && { type: 'application/did+ld+json', body: didDocument(data) };
    },
    async 'POST /:did'(did, request) {
      request.body = acceptable(await readJson(request));
      // body-parser takes this as "already read".
      request._body = true;
    },
    async 'POST /_test/backdate'(_, request) {
      const { did, hours } = await readJson(request);
      return { type: 'application/json', body: { operations: await directory.backdate(did, hours) } };
    },
  };

  const server = http.createServer(async (request, response) => {
    const [, did] = /^\/(did:plc:[^/?]+)$/.exec(decodeURIComponent(request.url)) ?? [];
    const handle = front[`${request.method} ${did ? '/:did' : request.url}`];
    try {
      const answer = await handle?.(did, request);
      if (!answer) return app(request, response);
      response.writeHead(200, { 'content-type': `${answer.type}; charset=utf-8`, 'access-control-allow-origin': '*' });
      response.end(JSON.stringify(answer.body));
    } catch (error) {
      response.writeHead(error.status ?? 500, { 'content-type': 'application/json; charset=utf-8' });
      response.end(JSON.stringify({ message: error.message }));
    }
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: Number(process.env.SKYKEEP_PLC_PORT), host: '127.0.0.1' }, resolve);
  });
  return () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections()));
});

async function readJson(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > 100 * 1024) throw Object.assign(new Error('request entity too large'), { status: 413 });
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    throw Object.assign(new Error('the body is not JSON'), { status: 400 });
  }
}
