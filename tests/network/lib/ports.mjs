// Five neighbouring ports for one network, so that many networks can run side by side.
//
// Free ports are looked for in blocks, below the range from which the system hands out ports by itself (32768 and up
// on Linux): while a server of ours is down, nobody else gets its port by chance. Whoever holds the first port of a
// block (the control server's, held from here to the end) holds the whole block.
import net from 'node:net';

const NAMES = ['control', 'smtp', 'plc', 'A', 'B'];
const FIRST = 20000;
const LAST = 32760;
const BLOCK = 8;

/**
 * Claims the five ports that begin at `base`, or five free ones when `base` is 0.
 *
 * `remembered` is the base that an earlier start with the same folder had: accounts there carry it in their DID
 * documents, so another one is refused. Returns the ports by name, and the control server's listening socket.
 */
export async function claimPorts(base, remembered) {
  if (remembered && base !== remembered) {
    throw new Error(`this folder's accounts live at base port ${remembered}; start it without --base-port`);
  }
  if (base) {
    const claimed = await claimBlock(base);
    if (!claimed) throw new Error(`one of the ports ${base} to ${base + NAMES.length - 1} is in use`);
    return claimed;
  }
  const blocks = Math.floor((LAST - FIRST) / BLOCK);
  const offset = Math.floor(Math.random() * blocks);
  for (let n = 0; n < blocks; n++) {
    const claimed = await claimBlock(FIRST + ((offset + n) % blocks) * BLOCK);
    if (claimed) return claimed;
  }
  throw new Error(`no five free ports between ${FIRST} and ${LAST}`);
}

async function claimBlock(base) {
  const ports = Object.fromEntries(NAMES.map((name, n) => [name, base + n]));
  const control = await listen(ports.control);
  if (!control) return undefined;
  for (const name of NAMES.slice(1)) {
    const probe = await listen(ports[name]);
    if (!probe) {
      control.close();
      return undefined;
    }
    await new Promise((resolve) => probe.close(resolve));
  }
  return { ports, control };
}

/** A socket that listens there, or nothing when somebody else does. */
function listen(port) {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', (error) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen({ port, host: '127.0.0.1' }, () => resolve(server));
  });
}
