#!/usr/bin/env python3
"""Reads a Skykeep vault without Skykeep. Needs Python 3.8 or newer, nothing else, and no network.

  python3 recover.py                             which accounts and backups are here
  python3 recover.py check                       read every file, say what is damaged
  python3 recover.py save ACCOUNT --to FOLDER    write a backup as repo.car, blobs/, identity/

It never changes the vault. Every byte it writes was checked against its fingerprint, and the repository is walked
from its commit, so that a missing piece is noticed. It does not check signatures: Python has no such thing built in.
The format is described in FORMAT.md in Skykeep's source code.
"""

import argparse
import base64
import calendar
import hashlib
import json
import os
import re
import sys
import time

HASH = r"[a-z2-7]{26}"
FILES = [re.compile(pattern + r"\Z") for pattern in (
    r"snapshots/(?P<time>\d{8}t\d{6}z)\.(?P<writer>[a-z2-7]{8})\.(?P<seq>[1-9]\d{0,5})\.(?P<hash>" + HASH + r")\.json",
    r"lists/(?P<hash>" + HASH + r")\.jsonl(\.age)?",
    r"repo/(?P<hash>" + HASH + r")\.car(\.age)?",
    r"blobs/[a-z2-7]{2}/(?P<cid>bafkrei[a-z2-7]{52})",
    r"blobs/[a-z2-7]{2}/(?P<hash>" + HASH + r")\.age",
    r"identity/(?P<hash>" + HASH + r")\.json(\.age)?",
    r"private/(?P<hash>" + HASH + r")\.age",
    r"keys/[1-9]\d{0,3}\.[a-z0-9-]{1,24}\.(?P<hash>" + HASH + r")\.age",
    r"recovery/" + HASH + r"/[1-9]\d{0,5}\.(?P<hash>" + HASH + r")\.age",
    r"rejected/(?P<hash>" + HASH + r")\.(car|json)",
    r"damaged/[a-z0-9._-]{1,64}/[a-z0-9._-]{1,64}/((?P<hash>" + HASH + r")|unread-[a-z2-7]{16})",
)]
PART = re.compile(r"\.[a-z2-7]{8}-[a-z2-7]{16}\.part\Z")
ACCOUNT = re.compile(r"(did_plc_[a-z2-7]{24}|did_web_[a-z0-9._-]{1,29}_" + HASH + r"|sealed_" + HASH + r")\Z")
MAX_MANIFEST, MAX_LIST, MAX_CHAIN = 1 << 20, 512 << 20, 4096
CHUNK = 1 << 20


class Problem(Exception):
    """Something that a person has to know, in words."""


# --- Files and fingerprints -------------------------------------------------------------------------------------------

def base32(data):
    return base64.b32encode(data).decode().lower().rstrip("=")


def cid_text(cid):
    return "b" + base32(cid)


def cid_bytes(text):
    body = text[1:].upper()
    return base64.b32decode(body + "=" * (-len(body) % 8))


def digest_of(path, out=None):
    """SHA-256 and length of a file, copied to `out` on the way."""
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
            size += len(chunk)
            if out:
                out.write(chunk)
    return digest.digest(), size


def fits(name, digest):
    """Whether bytes with this digest may go by this name (relative to the account's folder)."""
    for pattern in FILES:
        match = pattern.match(name)
        if match:
            parts = match.groupdict()
            if parts.get("cid"):
                return cid_bytes(parts["cid"])[4:] == digest
            return parts.get("hash") is None or base32(digest)[:26] == parts["hash"]
    return None


class Vault:
    def __init__(self, root):
        self.root = root
        if not os.path.isdir(os.path.join(root, "accounts")):
            raise Problem("There are no accounts in %s. Is this a Skykeep vault?" % root)

    def accounts(self):
        names = sorted(os.listdir(os.path.join(self.root, "accounts")))
        return [Account(self, name) for name in names if ACCOUNT.match(name)]

    def account(self, wanted):
        wanted = wanted.lstrip("@").lower() if not wanted.startswith("did:") else wanted
        for account in self.accounts():
            if account.name == wanted:
                return account
            snapshots, _ = account.snapshots()
            if any(wanted in (s.body["did"], s.body.get("handle")) for s in snapshots):
                return account
        raise Problem("There is no account %s here. Run recover.py without anything to see which there are." % wanted)


class Account:
    def __init__(self, vault, name):
        self.name = name
        self.root = os.path.join(vault.root, "accounts", name)

    def path(self, name):
        if fits(name, b"") is None:
            raise Problem("%s is no name of this format." % ascii(name))
        path = self.root
        for part in name.split("/"):
            path = os.path.join(path, part)
            if os.path.islink(path):
                raise Problem("%s is a link, not a file." % name)
        return path

    def small(self, name, limit, size=None, sha256=None):
        """A whole file, checked against its name and against what a list or manifest says about it."""
        try:
            with open(self.path(name), "rb") as file:
                data = file.read(limit + 1)
        except FileNotFoundError:
            raise Problem("%s is missing." % name) from None
        except OSError as error:
            raise Problem("%s cannot be read: %s." % (name, error.strerror)) from None
        digest = hashlib.sha256(data).digest()
        if not fits(name, digest) or (sha256 is not None and (digest.hex(), len(data)) != (sha256, size)):
            raise Problem("%s is damaged." % name)
        return data

    def snapshots(self):
        """All readable snapshots, oldest first, and what is wrong with the others."""
        found, problems = {}, []
        folder = os.path.join(self.root, "snapshots")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if PART.match(name):
                continue
            try:
                snapshot = Snapshot(self, name)
                found.setdefault(snapshot.writer, []).append(snapshot)
            except Problem as problem:
                problems.append(str(problem))
        order = []
        for writer, snapshots in found.items():
            reached = ""
            for snapshot in sorted(snapshots, key=lambda s: s.sequence):
                if snapshot.rev_is_plausible():
                    reached = max(reached, snapshot.body["commit"]["rev"])
                captured = snapshot.body.get("origin") != "imported"
                order.append((reached, captured, writer, snapshot.sequence, snapshot.name, snapshot))
        return [entry[-1] for entry in sorted(order)], problems


class Snapshot:
    """A backup: what its manifest says."""

    def __init__(self, account, name):
        self.account, self.name = account, name
        data = account.small("snapshots/" + name, MAX_MANIFEST)
        manifest = versioned(data, "manifest", "snapshots/" + name)
        if not re.search(rb',"signature":"[0-9a-f]{128}"}\n\Z', data):
            raise Problem("snapshots/%s is not signed." % name)
        if "body" not in manifest:
            raise Problem("snapshots/%s is sealed: it opens with the account's key only." % name)
        try:
            self.body, self.lists = manifest["body"], manifest["lists"]
            self.writer, self.sequence = manifest["writer"], manifest["sequence"]
            self.captured, self.commit = manifest["captured"], self.body["commit"]["cid"]
            self.did, self.media = self.body["did"], self.body["media"]
            self.objects_list = next(entry for entry in self.lists if entry["role"] == "objects")
        except (KeyError, TypeError, StopIteration):
            raise Problem("snapshots/%s is incomplete." % name) from None

    def rev_is_plausible(self):
        """Whether the rev is at most five minutes ahead of the writer's clock."""
        value = 0
        for letter in self.body["commit"]["rev"]:
            value = value * 32 + "234567abcdefghijklmnopqrstuvwxyz".index(letter)
        captured = calendar.timegm(time.strptime(self.captured, "%Y-%m-%dT%H:%M:%SZ"))
        return (value >> 10) <= (captured + 300) * 1000000

    def objects(self):
        """Everything it consists of: base and increments in order, and the rest by name."""
        chain, entry = [], self.objects_list
        while entry:
            if len(chain) == MAX_CHAIN or any(entry["name"] == seen for seen, _ in chain):
                raise Problem("The lists of %s never end." % self.name)
            data = self.account.small(entry["name"], MAX_LIST, entry["size"], entry["sha256"])
            lines = data.split(b"\n")
            header = versioned(lines[0], "list", entry["name"])
            if lines[-1] or header["count"] != len(lines) - 2:
                raise Problem("%s is incomplete." % entry["name"])
            chain.append((entry["name"], [json.loads(line) for line in lines[1:-1]]))
            entry = header["parent"]
        repo, others = [], {}
        for _, objects in reversed(chain):
            for one in objects:
                if one["kind"] == "base":
                    repo = [one]
                elif one["kind"] == "increment":
                    if not repo or repo[-1]["to"] != one["from"]:
                        raise Problem("An increment of %s follows nothing." % self.name)
                    repo.append(one)
                elif one["kind"] in ("identity", "private", "blob"):
                    others[one["name"]] = one
                else:
                    raise Problem("%s holds %s: a newer Skykeep is needed." % (self.name, ascii(one["kind"])))
        if not repo or repo[-1]["to"] != self.commit:
            raise Problem("The lists of %s lead to another commit." % self.name)
        return repo, others


def versioned(data, what, name):
    """Parses JSON that begins with the format's three fields; refuses what a newer version wrote."""
    try:
        value = json.loads(data)
        kind, version, requires = value["skykeep"], value["format"], value["requires"]
    except (ValueError, KeyError, TypeError):
        raise Problem("%s cannot be understood." % name) from None
    if kind != what:
        raise Problem("%s is no %s." % (name, what))
    if "age" in requires:
        raise Problem("%s is sealed: it opens with the account's key only." % name)
    if version > 1 or requires:
        raise Problem("%s was written by a newer Skykeep; use its recover.py." % name)
    return value


# --- CAR files and the tree -------------------------------------------------------------------------------------------

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("number too long")


def cbor(data, at=0, depth=0):
    """Decodes one DAG-CBOR value; links come as Link. Returns the value and where it ends."""
    if depth > 64:
        raise ValueError("nested too deep")
    major, low = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        return {20: False, 21: True, 22: None}[low], at
    if low >= 24:
        if low > 27:
            raise ValueError("no definite length")
        width = 1 << (low - 24)
        low, at = int.from_bytes(data[at:at + width], "big"), at + width
    if major == 0:
        return low, at
    if major == 1:
        return -1 - low, at
    if major in (2, 3):
        value = bytes(data[at:at + low])
        if len(value) != low:
            raise ValueError("too short")
        return (value if major == 2 else value.decode()), at + low
    if major == 4:
        values = []
        for _ in range(low):
            value, at = cbor(data, at, depth + 1)
            values.append(value)
        return values, at
    if major == 5:
        values = {}
        for _ in range(low):
            key, at = cbor(data, at, depth + 1)
            values[key], at = cbor(data, at, depth + 1)
        return values, at
    if low != 42:
        raise ValueError("unknown tag")
    link, at = cbor(data, at, depth + 1)
    return Link(link[1:]), at


class Link(bytes):
    """A CID in a block."""


class Blocks:
    """The blocks of several CAR files, by CID. Each is checked when it is read."""

    def __init__(self):
        self.where, self.files = {}, []

    def add(self, path):
        file = open(path, "rb")
        self.files.append(file)
        end, at, first = os.path.getsize(path), 0, True
        while at < end:
            file.seek(at)
            head = file.read(10 + 36)
            length, start = varint(head, 0)
            if at + start + length > end:
                raise ValueError("ends in the middle of a block")
            if not first:
                self.where.setdefault(bytes(head[start:start + 36]), (file, at + start + 36, length - 36))
            first = False
            at += start + length

    def read(self, cid):
        try:
            file, at, size = self.where[cid]
        except KeyError:
            raise Problem("Block %s is missing." % cid_text(cid)) from None
        file.seek(at)
        data = file.read(size)
        if hashlib.sha256(data).digest() != cid[4:]:
            raise Problem("Block %s is damaged." % cid_text(cid))
        return data

    def close(self):
        for file in self.files:
            file.close()


def put_varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_car(blocks, commit, out):
    """Writes everything reachable from `commit`: the commit, then the tree from the top, each record after its node."""
    root = cid_bytes(commit)
    header = b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00" + root + b"\x67version\x01"
    out.write(put_varint(len(header)) + header)
    written, records, media = set(), 0, {}

    def put(cid):
        data = blocks.read(cid)
        if cid not in written:
            written.add(cid)
            out.write(put_varint(36 + len(data)) + cid + data)
        return data

    commit_data, _ = cbor(put(root))
    stack = [("node", commit_data["data"], b"")]
    while stack:
        kind, cid, key = stack.pop()
        data = put(bytes(cid))
        value, _ = cbor(data)
        if kind == "record":
            records += 1
            find_media(value, key.decode("utf-8", "replace"), media)
            continue
        todo, path = [], b""
        if value["l"]:
            todo.append(("node", value["l"], b""))
        for entry in value["e"]:
            path = path[:entry["p"]] + entry["k"]
            todo.append(("record", entry["v"], path))
            if entry["t"]:
                todo.append(("node", entry["t"], b""))
        stack.extend(reversed(todo))
    return records, media


def find_media(value, path, media):
    """Every picture or video that a record refers to, by CID, with the record that needs it."""
    todo = [value]
    while todo:
        value = todo.pop()
        if isinstance(value, list):
            todo.extend(value)
        elif isinstance(value, dict):
            if value.get("$type") == "blob" and isinstance(value.get("ref"), Link):
                media.setdefault(cid_text(bytes(value["ref"])), path)
            elif set(value) == {"cid", "mimeType"} and isinstance(value["cid"], str):
                media.setdefault(value["cid"], path)
            else:
                todo.extend(value.values())


# --- What people ask for ----------------------------------------------------------------------------------------------

def show(vault):
    accounts = vault.accounts()
    if not accounts:
        print("There are no accounts in this vault.")
    for account in accounts:
        snapshots, problems = account.snapshots()
        if snapshots:
            body = snapshots[-1].body
            print("%s  (%s)" % (body.get("handle") or body["did"], body["did"]))
        else:
            print(account.name)
        for snapshot in snapshots:
            media = snapshot.media
            lacking = media["missing"] + media["pending"]
            print("  %s   %d records, %d media%s   %s" % (
                snapshot.captured, snapshot.body["records"], media["kept"],
                ", %d more not kept" % lacking if lacking else "", snapshot.name))
        for problem in problems:
            print("  Not usable: " + problem)
    return 0


def check(vault):
    files = wrong = 0
    for account in vault.accounts():
        for folder, folders, names in os.walk(account.root):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                inside = os.path.relpath(path, account.root).replace(os.sep, "/")
                if PART.match(name):
                    continue
                try:
                    sound = None if os.path.islink(path) else fits(inside, digest_of(path)[0])
                except OSError as error:
                    sound = False
                    print("%s/%s cannot be read: %s" % (account.name, inside, error.strerror))
                files += 1
                if sound is None:
                    print("%s/%s is not part of the vault." % (account.name, inside))
                elif not sound:
                    wrong += 1
                    print("%s/%s is damaged." % (account.name, inside))
        snapshots, problems = account.snapshots()
        wrong += len(problems)
        for problem in problems:
            print("%s: %s" % (account.name, problem))
        absent = set()
        for snapshot in snapshots:
            try:
                repo, others = snapshot.objects()
                absent.update(o["name"] for o in repo + list(others.values())
                              if not os.path.isfile(account.path(o["name"])))
            except Problem as problem:
                wrong += 1
                print("%s: %s" % (account.name, problem))
        for name in sorted(absent):
            wrong += 1
            print("%s/%s is missing." % (account.name, name))
    print("%d files read, %s." % (files, "%d problems found" % wrong if wrong else "all of them sound"))
    return 1 if wrong else 0


def save(vault, wanted, name, to):
    account = vault.account(wanted)
    snapshots, problems = account.snapshots()
    for problem in problems:
        print("Not usable: " + problem, file=sys.stderr)
    if name:
        snapshots = [snapshot for snapshot in snapshots if snapshot.name == name]
    if not snapshots:
        raise Problem("There is no such backup of %s." % wanted)
    snapshot = snapshots[-1]
    if os.path.exists(to) and os.listdir(to):
        raise Problem("%s is not empty. Choose a new folder." % to)
    os.makedirs(os.path.join(to, "blobs"), exist_ok=True)
    os.makedirs(os.path.join(to, "identity"), exist_ok=True)
    repo, others = snapshot.objects()
    blocks = Blocks()
    try:
        for part in repo:
            path = account.path(part["name"])
            if not os.path.isfile(path) or os.path.getsize(path) != part["size"]:
                raise Problem("%s is damaged or missing. Try an older backup with --snapshot." % part["name"])
            blocks.add(path)
        unfinished = os.path.join(to, "repo.car.unfinished")
        with open(unfinished, "wb") as out:
            records, needed = write_car(blocks, snapshot.commit, out)
        os.replace(unfinished, os.path.join(to, "repo.car"))
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        hint = "Try an older backup with --snapshot."
        raise Problem("The repository cannot be understood (%s). %s" % (error, hint)) from None
    finally:
        blocks.close()
    lost = 0
    current = {part["name"]: part["what"] for part in snapshot.body["identity"]}
    for one in others.values():
        if one["kind"] == "identity" and one["name"] in current:
            target = os.path.join(to, "identity", current[one["name"]] + ".json")
        elif one["kind"] == "blob":
            target = os.path.join(to, "blobs", one["cid"])
        else:
            continue
        if os.sep in one.get("cid", "") or not re.match(r"[a-z0-9_.]+\Z", os.path.basename(target)):
            raise Problem("A list names %s." % ascii(target))
        try:
            with open(target, "wb") as out:
                digest, size = digest_of(account.path(one["name"]), out)
            if (digest.hex(), size) != (one["sha256"], one["size"]):
                raise Problem("%s is damaged." % one["name"])
            needed.pop(one.get("cid"), None)
        except (Problem, OSError) as problem:
            lost += 1
            if os.path.exists(target):
                os.remove(target)
            print("Not saved: %s (%s)" % (one["name"], problem))
    print("Saved %s of %s: %d records." % (snapshot.name, snapshot.did, records))
    for cid, record in sorted(needed.items()):
        print("Not in this backup: %s, which %s needs." % (cid, record))
    return 1 if lost else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--vault", default=here, help="the vault's folder (this file's own, if not given)")
    verbs = parser.add_subparsers(dest="verb")
    verbs.add_parser("list", help="show which accounts and backups are here")
    verbs.add_parser("check", help="read every file and say what is damaged")
    saving = verbs.add_parser("save", help="write a backup into a new folder")
    saving.add_argument("account", help="handle, DID, or name of a folder in accounts/")
    saving.add_argument("--to", required=True, metavar="FOLDER", help="a new or empty folder")
    saving.add_argument("--snapshot", metavar="NAME", help="a backup's name, as shown by list (else the newest)")
    options = parser.parse_args()
    try:
        vault = Vault(options.vault)
        if options.verb == "check":
            return check(vault)
        if options.verb == "save":
            return save(vault, options.account, options.snapshot, options.to)
        return show(vault)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
