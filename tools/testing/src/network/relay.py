"""Joins two network namespaces by a line that delays packets, loses and reorders some of them.

usage: relay.py PID PID SEED

Makes a TUN device named tun0 in the network namespace of each process, and carries packets between
them. Prints "ready", then reads commands, one JSON object a line, {"delayMs": 20, "loss": 0.01}, and
answers each with "ok"; with "version": 4 or 6 it is for those packets alone. Ends at the end of its
input. Packets of a version keep their order, but for the share that "reorder" tells (0 to 1): these
are held back by up to 10 ms more, each by a time of its own, and others overtake them.
"""

import ctypes
import fcntl
import heapq
import itertools
import json
import os
import random
import select
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
PACKET_MAX = 65536
# What a router would hold; more is lost, as it would be there.
QUEUE_MAX = 1000
# By how many seconds a packet that is to be overtaken is held back at the most.
HELD_BACK_MAX = 0.01

libc = ctypes.CDLL(None, use_errno=True)


def open_tun(pid):
    with open(f"/proc/{pid}/ns/net", "rb") as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
    return tun


class Faults:
    """What happens to packets of a version."""

    def __init__(self):
        self.delay = 0.0
        self.loss = 0.0
        self.reorder = 0.0

    def set(self, settings):
        self.delay = settings.get("delayMs", self.delay * 1000) / 1000
        self.loss = settings.get("loss", self.loss)
        self.reorder = settings.get("reorder", self.reorder)


class Line:
    """One direction: what came out of one device waits here to go into the other."""

    def __init__(self, source, target, chance):
        self.source = source
        self.target = target
        self.chance = chance
        self.numbers = itertools.count()
        # By when they are due; those due at once, by their order.
        self.waiting = {4: [], 6: []}
        self.last = {4: 0.0, 6: 0.0}

    def take(self, faults):
        while True:
            try:
                packet = os.read(self.source, PACKET_MAX)
            except BlockingIOError:
                return
            version = packet[0] >> 4
            ways = faults[version]
            waiting = self.waiting[version]
            if self.chance.random() < ways.loss or len(waiting) >= QUEUE_MAX:
                continue
            # A delay that became shorter lets nobody overtake: only "reorder" does.
            due = max(time.monotonic() + ways.delay, self.last[version])
            if ways.reorder > 0 and self.chance.random() < ways.reorder:
                due += self.chance.random() * HELD_BACK_MAX
            else:
                self.last[version] = due
            heapq.heappush(waiting, (due, next(self.numbers), packet))

    def give(self, now):
        for waiting in self.waiting.values():
            while waiting and waiting[0][0] <= now:
                try:
                    os.write(self.target, heapq.heappop(waiting)[2])
                except OSError:
                    pass  # the device is not up yet, or full: the packet is lost

    def due(self):
        return min((queue[0][0] for queue in self.waiting.values() if queue), default=float("inf"))


def main():
    first, second = open_tun(sys.argv[1]), open_tun(sys.argv[2])
    chance = random.Random(int(sys.argv[3]))
    lines = [Line(first, second, chance), Line(second, first, chance)]
    faults = {4: Faults(), 6: Faults()}
    print("ready", flush=True)
    while True:
        left = min(line.due() for line in lines) - time.monotonic()
        wait = None if left == float("inf") else max(0.0, left)
        readable, _, _ = select.select([first, second, sys.stdin], [], [], wait)
        if sys.stdin in readable:
            command = sys.stdin.readline()
            if command == "":
                return
            settings = json.loads(command)
            for version in [settings["version"]] if "version" in settings else [4, 6]:
                faults[version].set(settings)
            print("ok", flush=True)
        for line in lines:
            line.take(faults)
            line.give(time.monotonic())


main()
