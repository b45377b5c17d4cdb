"""In a network namespace of its own: what a transport on one interface hears of another, and says on it.

usage: unshare --user --map-root-user --net PYTHON outside_packets.py INTERFACE dds|rclpy
Lays a cable between ve0 and ve1, gives only ve0 an address, opens a transport and another process's on the same
interface, and sends datagrams into ve1, so that they come in by ve0 as from another machine. Prints as JSON: datagrams
sent, those that the transport's sockets were handed and dropped, those that an ordinary socket heard, packets that went
out by ve0, and whether the two transports heard each other.
"""

import json
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

OURS, THEIRS, COUNT = "10.9.0.1", "10.9.0.2", 20


def main(interface: str, name: str) -> None:
    commands = (
        "ip link set lo up",
        "ip link add ve0 address 02:00:00:00:00:01 type veth peer name ve1 address 02:00:00:00:00:02",
        "ip addr add 10.9.0.1/24 dev ve0",
        "ip link set ve0 up addrgenmode none",
        "ip link set ve1 up addrgenmode none",
    )
    for command in commands:
        subprocess.run(command.split(), check=True)
    from deploy_robots import TYPES

    from robossl.deploy.profile import RosConfig
    from robossl.deploy.transports import Topic
    from robossl.deploy.transports.choice import open_transport

    ros = {"transport": name, "domain_id": 3, "interface": interface}
    if name == "dds":
        ros["peers"] = ("127.0.0.1",) if interface == "lo" else (OURS,)
    topic = Topic(name="/stop", type="std_msgs/msg/Bool")
    transport = open_transport(RosConfig(**ros), TYPES)
    heard: list[bytes] = []
    transport.subscribe(topic, heard.append)
    code = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from deploy_robots import TYPES
from robossl.deploy.profile import RosConfig
from robossl.deploy.transports import Topic
from robossl.deploy.transports.choice import open_transport
transport = open_transport(RosConfig(**{ros!r}), TYPES)
transport.advertise(Topic(name="/stop", type="std_msgs/msg/Bool"))
while True:
    transport.publish("/stop", TYPES.to_bytes(TYPES.make("std_msgs/msg/Bool", data=True)))
    time.sleep(0.02)
"""
    other = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 20
    while not heard and time.monotonic() < deadline:
        transport.spin_once(0.1)
    other.kill()
    other.wait()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ordinary:
        ordinary.bind(("0.0.0.0", 0))
        ports = [port for address, port, _ in udp_table() if address == "0.0.0.0" and port != ordinary.getsockname()[1]]
        for _ in range(COUNT):
            for port in (*ports, ordinary.getsockname()[1]):
                send_from_outside(port)
        ordinary.settimeout(5.0)
        came = len([ordinary.recv(100) for _ in range(COUNT)])
        dropped = sum(drops for address, _, drops in udp_table() if address == "0.0.0.0")
    found = {"ports": len(ports), "sent": COUNT * len(ports), "dropped": dropped, "ordinary": came}
    print(json.dumps({**found, "went_out": packets_out("ve0"), "heard_each_other": bool(heard)}))  # noqa: T201
    transport.close()


def send_from_outside(port: int) -> None:
    """Puts one datagram on the cable, from an address that this machine does not have."""
    data = b"not RTPS"
    udp = struct.pack("!HHHH", 5000, port, 8 + len(data), 0) + data
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0)
    header += socket.inet_aton(THEIRS) + socket.inet_aton(OURS)
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as cable:
        cable.bind(("ve1", 0))
        cable.send(bytes.fromhex("020000000001 020000000002 0800") + header + udp)


def checksum(header: bytes) -> int:
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def udp_table() -> list[tuple[str, int, int]]:
    """Returns local address, port and dropped datagrams of every UDP socket of the namespace."""
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    parsed = [(row[1].split(":"), int(row[12])) for row in rows]
    return [(socket.inet_ntoa(struct.pack("=I", int(a, 16))), int(port, 16), drops) for (a, port), drops in parsed]


def packets_out(interface: str) -> int:
    line = next(line for line in Path("/proc/net/dev").read_text().splitlines() if f"{interface}:" in line)
    return int(line.split(":")[1].split()[9])


if __name__ == "__main__":
    main(*sys.argv[1:])
