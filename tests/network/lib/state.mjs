// What a network's folder remembers between starts, beside the servers' own data: its ports and its secrets.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

/** Opens the folder's `network.json`, or begins one with fresh secrets for A and B. */
export function openState(dir) {
  const file = path.join(dir, 'network.json');
  const known = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : undefined;
  const secrets = known?.secrets ?? { A: freshSecrets(), B: freshSecrets() };
  return {
    secrets,
    basePort: known?.basePort ?? 0,
    remember(basePort) {
      const text = JSON.stringify({ basePort, secrets }, null, 2);
      fs.writeFileSync(`${file}.part`, `${text}\n`, { mode: 0o600 });
      fs.renameSync(`${file}.part`, file);
    },
  };
}

function freshSecrets() {
  const hex = (bytes) => crypto.randomBytes(bytes).toString('hex');
  return { rotationKey: hex(32), jwt: hex(16), dpop: hex(32), admin: hex(16) };
}
