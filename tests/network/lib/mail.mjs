// A mail sink: takes every mail that the servers send, keeps it in memory, and finds the code in it.
//
// As much SMTP (RFC 5321) and MIME (RFC 2045) as the reference PDS's mailer uses.
import net from 'node:net';

const TOKEN = /\b[A-Z2-7]{5}-[A-Z2-7]{5}\b/;
const LIMIT = 1024 * 1024;

/** Listens for SMTP on loopback. `to(address)` gives the mails to that address, oldest first. */
export async function startMailSink(port) {
  const mails = [];
  const server = net.createServer((socket) => converse(socket, (mail) => mails.push(mail)));
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1' }, resolve);
  });
  return { to: (address) => mails.filter((mail) => mail.to.some((to) => same(to, address))) };
}

function same(one, other) {
  return one.toLowerCase() === other.toLowerCase();
}

function converse(socket, deliver) {
  let input = '';
  let recipients = [];
  let reading = false;
  const reply = (line) => socket.write(`${line}\r\n`);
  const commands = {
    EHLO: () => reply('250 localhost'),
    HELO: () => reply('250 localhost'),
    MAIL: () => ((recipients = []), reply('250 ok')),
    RCPT: (line) => (recipients.push(/<([^>]*)>/.exec(line)?.[1] ?? ''), reply('250 ok')),
    DATA: () => ((reading = true), reply('354 go on')),
    RSET: () => ((recipients = []), reply('250 ok')),
    NOOP: () => reply('250 ok'),
    QUIT: () => socket.end('221 bye\r\n'),
  };
  // latin1 keeps bytes as they are until the transfer encoding says what they mean.
  socket.setEncoding('latin1').on('error', () => {});
  socket.on('data', (text) => {
    input += text;
    if (input.length > LIMIT) return socket.destroy();
    for (;;) {
      const end = input.indexOf(reading ? '\r\n.\r\n' : '\r\n');
      if (end < 0) return;
      const part = input.slice(0, end);
      input = input.slice(end + (reading ? 5 : 2));
      if (reading) {
        reading = false;
        deliver({ to: recipients, ...readMail(part.replace(/^\.\./gm, '.')) });
        reply('250 kept');
      } else {
        (commands[part.slice(0, 4).toUpperCase()] ?? (() => reply('502 unknown')))(part);
      }
    }
  });
  reply('220 localhost mail sink');
}

/** Subject, plain text and code of a mail as it came over the wire. */
export function readMail(source) {
  const { headers } = split(source);
  const text = plainText(source) ?? '';
  return { subject: decodeWords(headers.subject ?? ''), token: TOKEN.exec(text)?.[0] ?? null, text };
}

/** The first text/plain part, else the first part of any kind of text. */
function plainText(source) {
  const parts = [...leaves(source)];
  return (parts.find((part) => part.type.startsWith('text/plain')) ?? parts[0])?.text;
}

function* leaves(source) {
  const { headers, body } = split(source);
  const type = headers['content-type'] ?? 'text/plain';
  const boundary = /boundary="?([^";]+)"?/i.exec(type)?.[1];
  if (boundary === undefined) {
    yield { type: type.toLowerCase(), text: decode(body, headers['content-transfer-encoding']) };
    return;
  }
  for (const part of `\r\n${body}`.split(`\r\n--${boundary}`).slice(1)) {
    if (part.startsWith('--')) return;
    yield* leaves(part.replace(/^[ \t]*\r\n/, ''));
  }
}

function split(source) {
  const end = source.indexOf('\r\n\r\n');
  const head = end < 0 ? source : source.slice(0, end);
  const headers = {};
  for (const line of head.replace(/\r\n[ \t]+/g, ' ').split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { headers, body: end < 0 ? '' : source.slice(end + 4) };
}

function decode(body, encoding = '7bit') {
  const bytes = { 'quoted-printable': quotedPrintable, base64: (text) => Buffer.from(text, 'base64') };
  return (bytes[encoding.toLowerCase()] ?? ((text) => Buffer.from(text, 'latin1')))(body).toString('utf8');
}

function quotedPrintable(text) {
  const plain = text.replace(/=[ \t]*\r\n/g, '');
  return Buffer.from(
    plain.replace(/=([0-9A-F]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  );
}

/** Encoded words in a header (RFC 2047). */
function decodeWords(text) {
  return text.replace(/=\?utf-8\?([QB])\?([^?]*)\?=\s*/gi, (_, kind, word) =>
    kind.toUpperCase() === 'B'
      ? Buffer.from(word, 'base64').toString('utf8')
      : quotedPrintable(word.replace(/_/g, ' ')).toString('utf8'),
  );
}
