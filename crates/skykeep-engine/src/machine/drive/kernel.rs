//! What Linux says: what is mounted, and which disk is under a folder.
//!
//! Sources: proc(5) for mountinfo; the kernel's sysfs documentation for block devices (`removable`, `device/type`) and
//! for `removable` of USB and PCI devices.

use std::fs;
use std::path::{Path, PathBuf};

use super::OnThisComputer;

/// The kernel's table of what is mounted.
pub(super) const MOUNTINFO: &str = "/proc/self/mountinfo";

/// File systems that are on a server, or in a program that may be talking to one.
const SERVERS: [&str; 14] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ncpfs",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "9p",
    "davfs",
    "coda",
    "orangefs",
];

/// How many disks may stand behind each other: encrypted on a volume on a partition, a file on one of those.
const DEEPEST: u32 = 8;

/// What is mounted, and the disks that the kernel knows.
pub(super) struct Drives<'a> {
    sys: &'a Path,
    mounts: &'a str,
}

impl<'a> Drives<'a> {
    /// Those of this machine, with what [`mounted`] said.
    pub(super) fn now(mounts: &'a str) -> Self {
        Self {
            sys: Path::new("/sys"),
            mounts,
        }
    }

    /// As [`super::comings_and_goings`].
    pub(super) fn comings_and_goings(&self) -> Vec<PathBuf> {
        let mounts = self.mounts.lines().filter_map(Mount::parse);
        let mut points: Vec<PathBuf> = mounts
            .filter(|mount| !SERVERS.contains(&mount.kind.as_str()) && !mount.kind.starts_with("fuse.gvfs"))
            .map(|mount| mount.point)
            .filter(|point| {
                let under = |folder: &str| point.starts_with(folder) && *point != Path::new(folder);
                let comes = under("/media") || under("/run/media");
                comes || (under("/mnt") && self.judge(point, 0) == OnThisComputer::No)
            })
            .collect();
        points.sort();
        points.dedup();
        points
    }

    /// Where a folder is, whose path has no link in it. `depth`: how many disks were gone through on the way.
    pub(super) fn judge(&self, path: &Path, depth: u32) -> OnThisComputer {
        // The last of several mounts on the same folder is the one that is seen.
        let mount = self
            .mounts
            .lines()
            .filter_map(Mount::parse)
            .filter(|mount| path.starts_with(&mount.point));
        let Some(mount) = mount.max_by_key(|mount| mount.point.components().count()) else {
            return OnThisComputer::Unknown;
        };
        let kind = mount.kind.as_str();
        let server = SERVERS.contains(&kind) || kind.strip_prefix("fuse.").is_some_and(|kind| kind != "exfat");
        if server {
            // A program's file system may also be local (an encrypted folder): only well-known ones are judged.
            let remote = [
                "sshfs",
                "rclone",
                "s3fs",
                "davfs2",
                "gvfsd-fuse",
                "kio-fuse",
                "glusterfs",
                "ceph",
            ];
            let known = kind.strip_prefix("fuse.").is_none_or(|kind| remote.contains(&kind));
            return if known {
                OnThisComputer::No
            } else {
                OnThisComputer::Unknown
            };
        }
        if matches!(kind, "tmpfs" | "ramfs") {
            return OnThisComputer::Yes;
        }
        // btrfs and drives served by a program have numbers of their own: then the source names the device.
        let by_number = self.sys.join("dev/block").join(&mount.device).canonicalize();
        let by_source = || {
            let source = Path::new(&mount.source);
            let source = source.canonicalize().unwrap_or_else(|_| source.to_owned());
            let name = source.strip_prefix("/dev").ok()?.file_name()?.to_owned();
            self.sys.join("class/block").join(name).canonicalize().ok()
        };
        match by_number.ok().or_else(by_source) {
            Some(device) => self.judge_device(&device, depth),
            None => OnThisComputer::Unknown,
        }
    }

    /// Judges a block device by its folder in sysfs: a partition lies in its disk's folder.
    fn judge_device(&self, device: &Path, depth: u32) -> OnThisComputer {
        if depth >= DEEPEST {
            return OnThisComputer::Unknown;
        }
        let disk = if device.join("partition").exists() {
            device.parent().unwrap_or(device)
        } else {
            device
        };
        if let Some(file) = says(&disk.join("loop/backing_file")) {
            return self.judge(Path::new(&file), depth + 1);
        }
        // Encrypted, joined or mapped: elsewhere as soon as one of the disks behind it is.
        let behind: Vec<_> = fs::read_dir(disk.join("slaves"))
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        if !behind.is_empty() {
            let judged = behind.iter().map(|entry| match entry.path().canonicalize() {
                Ok(device) => self.judge_device(&device, depth + 1),
                Err(_) => OnThisComputer::Unknown,
            });
            return judged.reduce(both).unwrap_or(OnThisComputer::Unknown);
        }
        self.judge_disk(disk)
    }

    fn judge_disk(&self, disk: &Path) -> OnThisComputer {
        let on_usb = disk
            .components()
            .any(|part| part.as_os_str().to_str().is_some_and(is_usb_bus));
        // A USB disk says `removable` of its medium only; its port says it of the disk.
        let port = disk
            .ancestors()
            .skip(1)
            .take_while(|path| *path != self.sys)
            .find_map(|path| says(&path.join("removable")).filter(|word| word == "removable" || word == "fixed"));
        let card = says(&disk.join("device/type")).is_some_and(|kind| kind == "SD");
        let medium = says(&disk.join("removable")).is_some_and(|removable| removable == "1");
        let network = disk
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| ["nbd", "rbd", "drbd"].iter().any(|prefix| name.starts_with(prefix)));
        if card || medium || network || port.as_deref() == Some("removable") || (on_usb && port.is_none()) {
            OnThisComputer::No
        } else if disk.join("size").exists() {
            OnThisComputer::Yes
        } else {
            OnThisComputer::Unknown
        }
    }
}

fn both(a: OnThisComputer, b: OnThisComputer) -> OnThisComputer {
    use OnThisComputer::{No, Unknown, Yes};
    match (a, b) {
        (No, _) | (_, No) => No,
        (Unknown, _) | (_, Unknown) => Unknown,
        (Yes, Yes) => Yes,
    }
}

fn says(file: &Path) -> Option<String> {
    fs::read_to_string(file)
        .ok()
        .map(|text| text.trim_end_matches('\n').to_owned())
}

/// A folder "usb1" of sysfs: the root of a USB bus.
fn is_usb_bus(part: &str) -> bool {
    part.strip_prefix("usb")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// What is mounted now, as the kernel writes it; empty when it cannot be read.
pub(super) fn mounted() -> String {
    fs::read_to_string(MOUNTINFO).unwrap_or_default()
}

/// One line of mountinfo: `id parent major:minor root point options … - type source options`.
pub(super) struct Mount {
    device: String,
    pub(super) point: PathBuf,
    kind: String,
    source: String,
}

impl Mount {
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (mount, source) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(2);
        let mut source = source.split(' ');
        Some(Self {
            device: mount.next()?.to_owned(),
            point: PathBuf::from(unescape(mount.nth(1)?)),
            kind: source.next()?.to_owned(),
            source: unescape(source.next()?),
        })
    }
}

/// Space, tab, line end and backslash are written as three octal digits.
fn unescape(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(field.to_owned(), |field, (code, letter)| field.replace(code, letter))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A made-up /sys: disks in the places where the kernel puts them.
    struct Sys(tempfile::TempDir);

    impl Sys {
        fn new() -> Self {
            let sys = Self(tempfile::tempdir().unwrap());
            for folder in ["dev/block", "class/block"] {
                fs::create_dir_all(sys.0.path().join(folder)).unwrap();
            }
            sys
        }

        /// A block device in `folder` (its last part is its name), with these files in it.
        fn device(&self, number: &str, folder: &str, files: &[(&str, &str)]) {
            let path = self.0.path().join(folder);
            self.files(folder, &[("size", "1000")]);
            self.files(folder, files);
            symlink(&path, self.0.path().join("dev/block").join(number)).unwrap();
            symlink(&path, self.0.path().join("class/block").join(path.file_name().unwrap())).unwrap();
        }

        fn files(&self, folder: &str, files: &[(&str, &str)]) {
            for (name, content) in files {
                let file = self.0.path().join(folder).join(name);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, format!("{content}\n")).unwrap();
            }
        }

        fn slave(&self, of: &str, folder: &str) {
            let slaves = self.0.path().join(of).join("slaves");
            fs::create_dir_all(&slaves).unwrap();
            symlink(
                self.0.path().join(folder),
                slaves.join(folder.rsplit('/').next().unwrap()),
            )
            .unwrap();
        }
    }

    fn computer() -> Sys {
        let sys = Sys::new();
        sys.device("259:0", "devices/pci0/nvme/nvme0/nvme0n1", &[("removable", "0")]);
        sys.device(
            "259:2",
            "devices/pci0/nvme/nvme0/nvme0n1/nvme0n1p2",
            &[("partition", "2")],
        );
        sys.device("8:0", "devices/pci0/ata1/host0/block/sda", &[("removable", "0")]);
        sys.device("8:1", "devices/pci0/ata1/host0/block/sda/sda1", &[("partition", "1")]);
        // A USB disk: its medium is not removable, its port is not said to be; and one whose port is.
        sys.device("8:16", "devices/pci0/usb2/2-1/host6/block/sdb", &[("removable", "0")]);
        sys.device(
            "8:17",
            "devices/pci0/usb2/2-1/host6/block/sdb/sdb1",
            &[("partition", "1")],
        );
        sys.device("8:32", "devices/pci0/usb2/2-2/host7/block/sdc", &[("removable", "0")]);
        sys.files("devices/pci0/usb2/2-2", &[("removable", "removable")]);
        sys.device("8:48", "devices/pci0/usb2/2-3/host8/block/sdd", &[("removable", "0")]);
        sys.files("devices/pci0/usb2/2-3", &[("removable", "fixed")]);
        sys.device("8:64", "devices/pci0/usb2/2-4/host9/block/sde", &[("removable", "1")]);
        sys.files("devices/pci0/usb2/2-4", &[("removable", "unknown")]);
        sys.device(
            "179:0",
            "devices/mmc/mmc0/block/mmcblk0",
            &[("removable", "0"), ("device/type", "MMC")],
        );
        sys.device(
            "179:8",
            "devices/mmc/mmc1/block/mmcblk1",
            &[("removable", "0"), ("device/type", "SD")],
        );
        sys.device("11:0", "devices/pci0/ata2/host1/block/sr0", &[("removable", "1")]);
        // Encrypted on the inner disk, encrypted on a USB disk, joined from both.
        sys.device("254:0", "devices/virtual/block/dm-0", &[("removable", "0")]);
        sys.slave(
            "devices/virtual/block/dm-0",
            "devices/pci0/nvme/nvme0/nvme0n1/nvme0n1p2",
        );
        sys.device("254:1", "devices/virtual/block/dm-1", &[("removable", "0")]);
        sys.slave(
            "devices/virtual/block/dm-1",
            "devices/pci0/usb2/2-1/host6/block/sdb/sdb1",
        );
        sys.device("254:2", "devices/virtual/block/dm-2", &[("removable", "0")]);
        sys.slave("devices/virtual/block/dm-2", "devices/pci0/ata1/host0/block/sda/sda1");
        sys.slave("devices/virtual/block/dm-2", "devices/virtual/block/dm-1");
        // A mapping that stands behind itself.
        sys.device("254:3", "devices/virtual/block/dm-3", &[("removable", "0")]);
        sys.slave("devices/virtual/block/dm-3", "devices/virtual/block/dm-3");
        sys.device(
            "7:0",
            "devices/virtual/block/loop0",
            &[("loop/backing_file", "/media/usb/disk.img")],
        );
        sys.device(
            "7:1",
            "devices/virtual/block/loop1",
            &[("loop/backing_file", "/home/disk.img")],
        );
        sys.device("43:0", "devices/virtual/block/nbd0", &[("removable", "0")]);
        sys
    }

    const MOUNTS: &str = "\
22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
23 22 8:1 / /home rw,relatime shared:2 - ext4 /dev/sda1 rw
24 22 8:17 / /media/usb rw - exfat /dev/sdb1 rw
25 22 8:32 / /media/two\\040words rw - vfat /dev/sdc rw
26 22 8:48 / /media/fixed rw - ext4 /dev/sdd rw
27 22 8:64 / /media/stick rw - vfat /dev/sde rw
28 22 179:0 / /media/emmc rw - ext4 /dev/mmcblk0 rw
29 22 179:8 / /media/card rw - ext4 /dev/mmcblk1 rw
30 22 11:0 / /media/cd ro - iso9660 /dev/sr0 ro
31 22 254:0 / /crypt rw - ext4 /dev/mapper/none rw
32 22 254:1 / /media/crypt rw - ext4 /dev/mapper/none rw
33 22 254:2 / /joined rw - ext4 /dev/mapper/none rw
34 22 254:3 / /round rw - ext4 /dev/mapper/none rw
35 22 7:0 / /image/usb rw - ext4 /dev/loop0 rw
36 22 7:1 / /image/home rw - ext4 /dev/loop1 rw
37 22 43:0 / /nbd rw - ext4 /dev/nbd0 rw
38 22 0:50 / /nas rw - nfs4 server:/export rw
39 22 0:51 / /share rw - cifs //server/share rw
40 22 0:52 / /ssh rw - fuse.sshfs me@server: rw
41 22 0:53 / /private rw - fuse.gocryptfs /home/me/x rw
42 22 0:54 / /btrfs rw - btrfs /dev/sda1 rw
43 22 0:55 / /media/ntfs rw - fuseblk /dev/sdb1 rw
44 22 0:56 / /tmp rw - tmpfs tmpfs rw
45 22 0:57 / /odd rw - overlay overlay rw
46 44 8:17 / /tmp/over rw - exfat /dev/sdb1 rw
47 46 259:2 /x /tmp/over rw - ext4 /dev/nvme0n1p2 rw
48 22 0:58 / /media/fuse rw - fuse.exfat /dev/sdb1 rw
broken line
";

    #[test]
    fn a_folder_is_judged_by_the_disk_under_it() {
        let sys = computer();
        let drives = Drives {
            sys: sys.0.path(),
            mounts: MOUNTS,
        };
        let check = |path: &str, expected: OnThisComputer| {
            assert_eq!(drives.judge(Path::new(path), 0), expected, "{path}");
        };
        use OnThisComputer::{No, Unknown, Yes};
        check("/srv/backups", Yes);
        check("/home/me/Skykeep", Yes);
        check("/homework", Yes);
        check("/media/usb/Skykeep", No);
        check("/media/two words/Skykeep", No);
        check("/media/fixed", Yes);
        check("/media/stick", No);
        check("/media/emmc", Yes);
        check("/media/card", No);
        check("/media/cd", No);
        check("/crypt", Yes);
        check("/media/crypt", No);
        check("/joined", No);
        check("/round", Unknown);
        check("/image/usb", No);
        check("/image/home", Yes);
        check("/nbd", No);
        check("/nas/me", No);
        check("/share", No);
        check("/ssh", No);
        check("/private", Unknown);
        check("/btrfs", Yes);
        check("/media/ntfs", No);
        check("/media/fuse", No);
        check("/tmp", Yes);
        check("/odd", Unknown);
        check("/tmp/over", Yes);
        let none = Drives {
            sys: sys.0.path(),
            mounts: "",
        };
        assert_eq!(none.judge(Path::new("/home"), 0), Unknown);
    }

    #[test]
    fn drives_that_come_and_go_are_told_from_what_is_built_in() {
        let sys = computer();
        let mounts = "\
1 0 259:2 / / rw - ext4 /dev/nvme0n1p2 rw
2 1 8:17 / /mnt/stick rw - exfat /dev/sdb1 rw
3 1 8:1 / /mnt/second rw - ext4 /dev/sda1 rw
4 1 0:50 / /mnt/nas rw - nfs4 server:/export rw
5 1 0:51 / /media/nas rw - nfs4 server:/export rw
6 1 8:64 / /run/media/me/two\\040words rw - vfat /dev/sde rw
7 1 7:1 / /media/me/image rw - exfat /dev/loop1 rw
8 1 0:52 / /media rw - tmpfs none rw
9 1 8:17 / /media/me/image rw - exfat /dev/sdb1 rw
";
        let drives = Drives {
            sys: sys.0.path(),
            mounts,
        };
        let expected = ["/media/me/image", "/mnt/stick", "/run/media/me/two words"].map(PathBuf::from);
        assert_eq!(drives.comings_and_goings(), expected);
    }
}
