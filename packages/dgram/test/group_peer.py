"""The other host of a group: echoes what it hears of it, or speaks to it without end.

group_peer.py echo|speak GROUP PORT DEVICE
"""
import socket
import struct
import sys
import time

mode, group, port, device = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
index = socket.if_nametoindex(device)
is_ipv6 = ":" in group
sock = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
if is_ipv6:
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    request = socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", index)
    join = (socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
else:
    request = struct.pack("@4s4si", socket.inet_aton(group), bytes(4), index)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
    join = (socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)

if mode == "echo":
    sock.bind(("", port))
    sock.setsockopt(*join)
    print("ready", flush=True)
    while True:
        data, address = sock.recvfrom(65536)
        sock.sendto(data, address)

print("ready", flush=True)
while True:
    sock.sendto(b"hello", (group, port))
    time.sleep(0.02)
