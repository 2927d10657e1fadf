// XRPC as a client speaks it: JSON in and out, errors with what the server said.
import fs from 'node:fs';
import http from 'node:http';
import { pipeline } from 'node:stream/promises';

/** What a server refused: `status`, the protocol's `error` name, and its message. */
export class Refused extends Error {
  constructor(method, status, body) {
    super(`${method}: ${status} ${body.error ?? ''} ${body.message ?? ''}`.trim());
    Object.assign(this, { status, error: body.error });
  }
}

/** A PDS at a base URL, with or without a session. */
export class Pds {
  #access;

  constructor(url, access) {
    this.url = url.replace(/\/$/, '');
    this.#access = access;
  }

  withAccess(access) {
    return new Pds(this.url, access);
  }

  query(method, params = {}) {
    return this.#send(method, { method: 'GET' }, new URLSearchParams(params));
  }

  procedure(method, body) {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    return this.#send(method, { method: 'POST', headers, body: body && JSON.stringify(body) });
  }

  /** Sends raw bytes. */
  upload(method, bytes, type) {
    return this.#send(method, { method: 'POST', headers: { 'content-type': type }, body: bytes });
  }

  /** Streams a file. Unlike fetch it waits for the answer as long as it takes: a big import is work for minutes. */
  uploadFile(method, file, type) {
    return new Promise((resolve, reject) => {
      const headers = {
        'content-type': type,
        'content-length': fs.statSync(file).size,
        ...this.#authorization(),
      };
      const request = http.request(`${this.url}/xrpc/${method}`, { method: 'POST', headers }, async (response) => {
        let text = '';
        for await (const part of response.setEncoding('utf8')) text += part;
        if (response.statusCode === 200) resolve(parse(text));
        else reject(new Refused(method, response.statusCode, parse(text)));
      });
      // A server that refuses early closes while we still send: its answer counts, not the broken pipe.
      request.on('error', (error) => setImmediate(() => reject(error)));
      pipeline(fs.createReadStream(file), request).catch(() => {});
    });
  }

  async #send(method, init, params = '') {
    const headers = { ...init.headers, ...this.#authorization() };
    const response = await fetch(`${this.url}/xrpc/${method}?${params}`, { ...init, headers });
    const body = parse(await response.text());
    if (!response.ok) throw new Refused(method, response.status, body);
    return body;
  }

  #authorization() {
    return this.#access ? { authorization: `Bearer ${this.#access}` } : {};
  }
}

function parse(text) {
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch {
    return { message: text };
  }
}
