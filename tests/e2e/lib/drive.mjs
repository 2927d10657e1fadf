// A drive that is plugged in and pulled: exFAT in a file, behind a loop device, served by its own driver.
//
// Drives are mounted in a bay: a view of the file system with an empty /media of its own, which only programs that are
// started in it have. Nothing is mounted for anybody else, and what is left mounted goes with the bay.
import fs from 'node:fs';
import path from 'node:path';
import { end, firstLine, kill, run, start, until } from './processes.mjs';

/** Why there can be no drive here; undefined when there can. */
export async function noDrives() {
  if (process.getuid() !== 0) return 'a drive needs root';
  const missing = ['/dev/fuse', '/dev/loop-control'].find((device) => !fs.existsSync(device));
  if (missing) return `a drive needs ${missing}`;
  for (const program of ['mkfs.exfat', 'mount.exfat-fuse']) {
    const found = await run(program, ['-V']).catch((error) => error.code !== 'ENOENT');
    if (found === false) return `a drive needs ${program}`;
  }
  const works = async (program, ...args) => (await run(program, args).catch(() => undefined)) !== undefined;
  if (!(await works('losetup', '--find'))) return 'a drive needs a free loop device';
  if (!(await works('unshare', '--mount', 'true'))) return 'a drive needs a view of the file system of its own';
  return undefined;
}

/** Opens a bay; it is closed with everything else that the test started. */
export async function openBay() {
  const view = 'mount -t tmpfs bay /media && echo open && exec cat';
  const holder = start('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', view], {
    hold: true,
    pipe: true,
  });
  await firstLine(holder);
  return new Bay(holder.pid);
}

class Bay {
  constructor(pid) {
    this.pid = pid;
  }

  /** A command line that runs a program in the bay. */
  inside(program, ...args) {
    return ['nsenter', '--target', String(this.pid), '--mount', program, ...args];
  }

  /** Where a path of the bay is to be found from outside. */
  path(inside) {
    return `/proc/${this.pid}/root${inside}`;
  }

  /** A new drive, formatted and not plugged in. */
  async drive(image, megabytes) {
    fs.writeFileSync(image, '');
    fs.truncateSync(image, megabytes * 1024 * 1024);
    await run('mkfs.exfat', [image]);
    return new Drive(this, image);
  }
}

class Drive {
  constructor(bay, image) {
    this.bay = bay;
    this.image = image;
  }

  /** Plugs it in, as /media/NAME. */
  async plug(name) {
    this.point = path.join('/media', name);
    fs.mkdirSync(this.bay.path(this.point), { recursive: true });
    const device = (await run('losetup', ['--find', '--show', this.image])).trim();
    const [nsenter, ...args] = this.bay.inside('mount.exfat-fuse', '-d', '-o', 'rw', device, this.point);
    this.driver = start(nsenter, args);
    const mounts = `/proc/${this.bay.pid}/mountinfo`;
    await until('the drive', () => fs.readFileSync(mounts, 'utf8').includes(` ${device} `));
    // The device goes when nobody uses it any more.
    await run('losetup', ['--detach', device]);
    return this.point;
  }

  /** Pulls the cable: its driver is gone in the middle of whatever it does. */
  cut() {
    return kill(this.driver);
  }

  /** What a desktop does a moment after the cable was pulled. Its empty mount point stays. */
  async clear() {
    const [nsenter, ...args] = this.bay.inside('umount', '--lazy', this.point);
    await run(nsenter, args);
    await end(this.driver);
  }
}
