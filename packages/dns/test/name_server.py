"""A name server that does what the name says, for example delay-aaaa-300.nodata-a.test:

  delay-TYPE-MS   answers so late
  drop-TYPE       never answers
  servfail-TYPE   fails
  nodata-TYPE     has no record of the type
  nxdomain        has no such name
  truncate        says over UDP that the answer is too long, and gives it over TCP
  ttl-SECONDS     how long the answer holds

TYPE is a, aaaa, srv, ptr or any. A is 127.0.0.1, AAAA ::1. Prints each question with a line.
"""

import os
import socket
import struct
import sys
import threading

TYPES = {1: "a", 28: "aaaa", 33: "srv", 12: "ptr"}
SERVFAIL, NXDOMAIN = 2, 3


def wire(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".") if p) + b"\0"


def records_of(kind):
    if kind == "a":
        return [socket.inet_pton(socket.AF_INET, "127.0.0.1")]
    if kind == "aaaa":
        return [socket.inet_pton(socket.AF_INET6, "::1")]
    if kind == "srv":
        return [
            struct.pack("!HHH", 10, 60, 5061) + wire("one.test"),
            struct.pack("!HHH", 20, 0, 5062) + wire("two.test"),
        ]
    if kind == "ptr":
        return [wire("pointed.test")]
    return []


class Question:
    def __init__(self, packet):
        self.id, _, _ = struct.unpack("!HHH", packet[:6])
        at, labels = 12, []
        while packet[at]:
            labels.append(packet[at + 1 : at + 1 + packet[at]].decode().lower())
            at += packet[at] + 1
        self.type = struct.unpack("!H", packet[at + 1 : at + 3])[0]
        self.text = packet[12 : at + 5]
        self.kind = TYPES.get(self.type, "other")
        self.name = ".".join(labels)
        self.words = [label.split("-") for label in labels]

    def says(self, verb):
        """The rest of a label that concerns this question, or None."""
        for first, *rest in self.words:
            if first == verb and (not rest or rest[0] in (self.kind, "any") or rest[0].isdigit()):
                return rest
        return None

    def answer(self, is_tcp):
        code = SERVFAIL if self.says("servfail") is not None else 0
        code = NXDOMAIN if self.says("nxdomain") is not None else code
        empty = code or self.says("nodata") is not None
        cut = not is_tcp and self.says("truncate") is not None
        records = [] if empty or cut else records_of(self.kind)
        ttl = int((self.says("ttl") or ["7"])[0])
        flags = 0x8580 | code | (0x0200 if cut else 0)
        out = struct.pack("!HHHHHH", self.id, flags, 1, len(records), 0, 0) + self.text
        for data in records:
            out += struct.pack("!HHHIH", 0xC00C, self.type, 1, ttl, len(data)) + data
        return out

    def reply(self, send, is_tcp):
        # In one piece: several threads write.
        os.write(1, f"{self.kind} {self.name} {'tcp' if is_tcp else 'udp'}\n".encode())
        if self.says("drop") is not None:
            return
        delay = self.says("delay")
        threading.Timer(int(delay[-1]) / 1000 if delay else 0, send, [self.answer(is_tcp)]).start()


def serve_connection(connection):
    def send(data):
        connection.sendall(struct.pack("!H", len(data)) + data)

    while head := connection.recv(2, socket.MSG_WAITALL):
        Question(connection.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)).reply(send, True)


def serve_tcp(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_connection, args=[connection], daemon=True).start()


def bind_both(host, port):
    """Both sockets on one port; of free ones, which only one of them finds free, another."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((host, port))
        try:
            return udp, socket.create_server((host, udp.getsockname()[1]))
        except OSError:
            udp.close()
            if port:
                raise


udp, listener = bind_both(sys.argv[1], int(sys.argv[2]))
port = udp.getsockname()[1]
threading.Thread(target=serve_tcp, args=[listener], daemon=True).start()
print("listening on", port, flush=True)
while True:
    packet, peer = udp.recvfrom(4096)
    Question(packet).reply(lambda data, to=peer: udp.sendto(data, to), False)
