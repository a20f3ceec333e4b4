"""A slow, long line between two network namespaces, packet by packet, in user space.

    python -m benchmarks.shaper NAMESPACE ADDRESS NAMESPACE ADDRESS BITS_PER_SECOND ROUND_TRIP_SECONDS

Makes a TUN device in each namespace and carries packets between them: each direction is paced to the rate, then
delayed by half the round trip; what would wait longer than `BUFFER` seconds for its turn is dropped, as a router does.
So the TCP of both ends is the real one. Prints "up" when it is ready; ends with SIGTERM, and the devices with it.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import time
from collections import deque

BUFFER = 0.1
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x1, 0x1000
_LARGEST = 2048


class Direction:
    """Packets from one device to the other.

    Args:
        source, sink: descriptors of TUN devices.
        rate: bytes per second.
        delay: seconds from a packet's last bit leaving to its arrival.
    """

    def __init__(self, source: int, sink: int, rate: float, delay: float) -> None:
        self.source = source
        self._sink = sink
        self._rate = rate
        self._delay = delay
        self._free_at = 0.0
        self._under_way: deque[tuple[float, bytes]] = deque()

    def take(self, packet: bytes, now: float) -> None:
        """*packet* wants to go."""
        begin = max(now, self._free_at)
        if begin - now <= BUFFER:
            self._free_at = begin + len(packet) / self._rate
            self._under_way.append((self._free_at + self._delay, packet))

    def arrive(self, now: float) -> float | None:
        """Deliver what is due; when the next one is, or None."""
        while self._under_way and self._under_way[0][0] <= now:
            os.write(self._sink, self._under_way.popleft()[1])
        return self._under_way[0][0] if self._under_way else None


def device(namespace: str, address: str) -> int:
    """A TUN device in *namespace*; its descriptor, which does not block."""
    name = f"bench{os.getpid() % 100_000}{'ab'[address.endswith('2')]}"
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    for argv in (
        ["ip", "link", "set", name, "netns", namespace],
        ["ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", name],
        ["ip", "-n", namespace, "link", "set", name, "up", "mtu", "1500", "txqueuelen", "1000"],
    ):
        subprocess.run(argv, check=True)
    return descriptor


def carry(one: int, other: int, rate: float, delay: float) -> None:
    """Until killed."""
    directions = [Direction(one, other, rate, delay), Direction(other, one, rate, delay)]
    while True:
        now = time.monotonic()
        due = [when for direction in directions if (when := direction.arrive(now)) is not None]
        timeout = max(0.0, min(due) - time.monotonic()) if due else None
        readable, _, _ = select.select([one, other], [], [], timeout)
        for direction in directions:
            if direction.source in readable:
                for _ in range(64):
                    try:
                        packet = os.read(direction.source, _LARGEST)
                    except BlockingIOError:
                        break
                    direction.take(packet, time.monotonic())


def main() -> None:
    one, one_address, other, other_address, bits, round_trip = sys.argv[1:]
    descriptors = device(one, one_address), device(other, other_address)
    print("up", flush=True)
    carry(*descriptors, float(bits) / 8, float(round_trip) / 2)


if __name__ == "__main__":
    main()
