"""The sockets that a process has, read from the kernel's tables."""

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path


def local_addresses(pid: int | None = None) -> set[tuple[str, str]]:
    """Returns ("tcp" or "udp", local IPv4 address) of every internet socket of a process; IPv6 as it stands there."""
    process = Path("/proc", str(pid or os.getpid()))
    own = {inode for entry in (process / "fd").iterdir() if (inode := _inode(entry))}
    return {(kind, address) for kind, address, inode in _table(process) if inode in own}


def _inode(entry: Path) -> str | None:
    try:
        target = os.readlink(entry)
    except OSError:
        return None
    return target[8:-1] if target.startswith("socket:[") else None


def _table(process: Path) -> Iterator[tuple[str, str, str]]:
    for kind in ("tcp", "udp", "tcp6", "udp6", "raw"):
        for line in (process / "net" / kind).read_text().splitlines()[1:]:
            words = line.split()
            address = words[1].rpartition(":")[0]
            if not kind.endswith("6"):
                address = socket.inet_ntoa(struct.pack("=I", int(address, 16)))
            yield kind, address, words[9]
