"""The IPv4 address of a network interface, for transports that are told an address."""

import fcntl
import socket
import struct

from robossl.core import UserError

_SIOCGIFADDR = 0x8915  # linux/sockios.h
_NAME_BYTES, _ADDRESS = 15, slice(20, 24)  # of struct ifreq


def address_of(interface: str) -> str:
    """Returns the address.

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
