"""A peer of the tests on Python's socket module.

usage: peer.py ROLE ADDRESS [PORT]

ADDRESS is an IP address, a path, or @name in the abstract namespace. A listener prints "port N", N
being 0 for Unix addresses; with PORT 0 the kernel chooses. Roles are the functions below: names in
`listening` serve one connection, those in `connecting` make one.
"""

import array
import hashlib
import os
import socket
import struct
import sys
import time


def read_to_end(connection):
    parts = []
    while data := connection.recv(65536):
        parts.append(data)
    return b"".join(parts)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()


def digest(connection):
    """Answers with the digest of everything, once there is no more."""
    connection.sendall(hashlib.sha256(read_to_end(connection)).hexdigest().encode())
    connection.close()


def greet_late(connection):
    time.sleep(0.1)
    connection.sendall(b"late")
    read_to_end(connection)


def reset_after_greeting(connection):
    connection.sendall(b"hello")
    connection.recv(1)
    reset(connection)


def urgent(connection):
    """Urgent data between two ordinary bytes, which stay apart."""
    connection.sendall(b"a")
    connection.send(b"!", socket.MSG_OOB)
    connection.sendall(b"b")
    read_to_end(connection)


def pass_descriptor(connection):
    """A descriptor that nobody has asked for, in the middle of the bytes."""
    connection.sendall(b"before ")
    held = os.open("/dev/null", os.O_RDONLY)
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [held]))
    connection.sendmsg([b"with "], [rights])
    connection.sendall(b"after")
    connection.shutdown(socket.SHUT_WR)
    read_to_end(connection)


def vanish(connection):
    """Greets, and is never heard of again: the link goes down."""
    connection.sendall(b"hello")
    connection.recv(1)
    os.system("ip link set tun0 down")
    time.sleep(60)


def send_and_print_digest(connection):
    """Sends its input, half-closes, and prints the digest of the answer."""
    connection.sendall(sys.stdin.buffer.read())
    connection.shutdown(socket.SHUT_WR)
    print(hashlib.sha256(read_to_end(connection)).hexdigest(), flush=True)


listening = [echo, digest, greet_late, reset_after_greeting, urgent, pass_descriptor, vanish]
connecting = [send_and_print_digest]


def place(address, port):
    if address.startswith("@"):
        return socket.AF_UNIX, "\0" + address[1:]
    if "/" in address:
        return socket.AF_UNIX, address
    return socket.AF_INET6 if ":" in address else socket.AF_INET, (address, port)


def main(role, address, port="0"):
    family, target = place(address, int(port))
    made = socket.socket(family)
    for known in connecting:
        if known.__name__ == role:
            made.connect(target)
            known(made)
            return
    serve = next(known for known in listening if known.__name__ == role)
    made.bind(target)
    made.listen()
    name = made.getsockname()
    print("port", 0 if family == socket.AF_UNIX else name[1], flush=True)
    serve(made.accept()[0])


main(*sys.argv[1:])
