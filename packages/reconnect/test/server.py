"""A server of another make: prints its port, then plays its role with everyone who connects."""
import socket
import sys
import threading
import time

role, host = sys.argv[1], sys.argv[2]
port = int(sys.argv[3]) if len(sys.argv) > 3 else 0


def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)


def silent(connection):
    threading.Event().wait()


def hang_up(connection):
    connection.sendall(b"x")


def goodbye(connection):
    connection.sendall(b"goodbye")
    connection.recv(1)


def drip(connection):
    for byte in b"drip by drip":
        connection.sendall(bytes([byte]))
        time.sleep(0.005)


roles = {"echo": echo, "silent": silent, "hang-up": hang_up, "goodbye": goodbye, "drip": drip}


def handle(connection):
    try:
        with connection:
            roles[role](connection)
    except OSError:
        pass


listener = socket.create_server((host, port), reuse_port=False)
print("port", listener.getsockname()[1], flush=True)
while True:
    accepted, _ = listener.accept()
    threading.Thread(target=handle, args=(accepted,), daemon=True).start()
