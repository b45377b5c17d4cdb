"""Keeps sockets to the one network interface that a profile names, for libraries that listen on all of them (Linux)."""

import ctypes
import fcntl
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robossl.core import UserError

_SIOCGIFADDR = 0x8915  # linux/sockios.h
_NAME_BYTES, _ADDRESS = 15, slice(20, 24)  # of struct ifreq
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h
_INTERFACE_INDEX = 0xFFFFF008  # SKF_AD_OFF + SKF_AD_IFINDEX, linux/filter.h


def address_of(interface: str) -> str:
    """Returns the IPv4 address of an interface.

    Raises:
        UserError: if there is no such interface, or it has no address.
    """
    request = struct.pack("256s", interface.encode()[:_NAME_BYTES])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            answer = fcntl.ioctl(asked.fileno(), _SIOCGIFADDR, request)
        except OSError as error:
            raise UserError(f"network interface {interface!r} has no address: {error.strerror}") from error
    return socket.inet_ntoa(answer[_ADDRESS])


@contextmanager
def confined(interface: str) -> Iterator[None]:
    """Makes UDP sockets that are opened inside the block deaf to everything that another interface brings.

    What this machine says to itself arrives by loopback, whatever address it is sent to, and is always heard.

    Raises:
        UserError: if the kernel refuses.
    """
    before = _udp_sockets()
    yield
    heard = [socket.if_nametoindex(name) for name in ("lo", interface)]
    for inode, descriptor in _udp_sockets().items():
        if inode not in before:
            _listen_to(descriptor, heard)


def _udp_sockets() -> dict[int, int]:
    """Returns the descriptors of this process's UDP sockets, by inode."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        descriptor = int(entry.name)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISSOCK(status.st_mode):
                continue
            with socket.socket(fileno=os.dup(descriptor)) as opened:
                if opened.family == socket.AF_INET and opened.type == socket.SOCK_DGRAM:
                    found[status.st_ino] = descriptor
        except OSError:  # closed meanwhile
            continue
    return found


def _listen_to(descriptor: int, interfaces: list[int]) -> None:
    """Attaches a filter to a socket: a packet passes if the index of its interface is one of these."""
    accept = len(interfaces)
    program = [(_LOAD_WORD, 0, 0, _INTERFACE_INDEX)]
    program += [(_JUMP_IF_EQUAL, accept - i, 0, index) for i, index in enumerate(interfaces)]
    program += [(_RETURN, 0, 0, 0), (_RETURN, 0, 0, 0xFFFFFFFF)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    with socket.socket(fileno=os.dup(descriptor)) as opened:
        try:
            option = struct.pack("HP", len(program), ctypes.addressof(code))
            opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, option)
        except OSError as error:
            raise UserError(f"a socket could not be kept to its network interface: {error.strerror}") from error
