// Batches of datagrams. Their bytes, and the entries that describe them (DatagramEntry), are in
// memory of JavaScript, so that a batch takes one crossing and makes no object.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "binding/args.h"
#include "binding/context.h"
#include "binding/wraps.h"
#include "net/datagram.h"
#include "sys/device.h"
#include "sys/error_queue.h"
#include "sys/multicast.h"

namespace sock::binding {

namespace {

using sys::DatagramEntry;

// `DatagramMode` in lib/constants.ts.
enum Mode : int32_t {
  kWait = 1,
  kPassErrors = 2,
  kControl = 4,
  kOffload = 8,
};

net::DatagramMode mode_of(int32_t mode) {
  return {.wait = (mode & kWait) != 0, .passes_errors = (mode & kPassErrors) != 0};
}

template <size_t N>
std::span<DatagramEntry> entries_of(const Args<N>& args, size_t array) {
  const std::span<int32_t> words = args.int32s(array);
  // Entries hold a double; who begins elsewhere has none that we could use.
  if (reinterpret_cast<uintptr_t>(words.data()) % alignof(DatagramEntry) != 0) return {};
  auto* const first = reinterpret_cast<DatagramEntry*>(words.data());
  return {first, words.size() / sys::kDatagramWords};
}

// Three numbers for each datagram: where it begins, how long it is, and its entry. What the kernel
// has joined is told apart again. How many datagrams there are; what finds no place stays joined.
size_t write_index(std::span<const DatagramEntry> entries, std::span<int32_t> index) {
  size_t at = 0;
  for (size_t i = 0; i < entries.size(); i++) {
    const DatagramEntry& entry = entries[i];
    const size_t places_left = index.size() / 3 - at;
    const size_t kept_for_others = entries.size() - 1 - i;
    int32_t offset = entry.offset;
    int32_t left = entry.length;
    size_t room = places_left - kept_for_others;
    do {
      const bool joined = entry.segment > 0 && room > 1;
      const int32_t length = joined ? std::min(entry.segment, left) : left;
      index[3 * at] = offset;
      index[3 * at + 1] = length;
      index[3 * at + 2] = static_cast<int32_t>(i);
      at++;
      room--;
      offset += length;
      left -= length;
    } while (left > 0);
  }
  return at;
}

// receiveDatagrams(index, generation, memory, entries, places, count, stride, room, mode) -> how
// many datagrams, with the number of entries in kExtra; or negative errno. Entry i is received into
// `room` bytes at i * stride; `places` is the Int32Array for the index.
napi_value js_receive_datagrams(napi_env env, napi_callback_info info) {
  const Args<9> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const Bytes memory = args.bytes(2);
  const std::span<DatagramEntry> entries = entries_of(args, 3);
  const std::span<int32_t> places = args.int32s(4);
  const int32_t count = args.int32(5);
  const int32_t stride = args.int32(6);
  const int32_t room = args.int32(7);
  const int32_t mode = args.int32(8, 0);
  if (count < 1 || room < 0 || stride < room) return to_js(env, -EINVAL);
  const auto slots = static_cast<size_t>(count);
  const size_t needed = (slots - 1) * static_cast<size_t>(stride) + static_cast<size_t>(room);
  if (memory.size < needed || entries.size() < slots || places.size() / 3 < slots) {
    return to_js(env, -EFAULT);
  }
  const sys::ReceiveSlots into{.entries = entries.first(slots),
                               .memory = memory.data,
                               .stride = static_cast<size_t>(stride),
                               .room = static_cast<size_t>(room),
                               .wants_control = (mode & kControl) != 0};
  const sys::IoResult filled =
      net::receive_datagrams(context.reactor(), *source, context.datagrams(), into, mode_of(mode));
  if (filled < 0) return to_js(env, filled);
  context.control(kExtra) = static_cast<int32_t>(filled);
  const size_t datagrams = write_index(entries.first(static_cast<size_t>(filled)), places);
  return to_js(env, static_cast<int64_t>(datagrams));
}

bool lies_within(const DatagramEntry& entry, const Bytes& memory) {
  if (entry.offset < 0 || entry.length < 0) return false;
  if (entry.address_size > sizeof(entry.address)) return false;
  const auto end = static_cast<uint64_t>(entry.offset) + static_cast<uint64_t>(entry.length);
  return end <= memory.size;
}

// sendDatagrams(index, generation, memory, entries, first, count, skipped, mode) -> how many of the
// entries have gone, with the bytes of the next one that have in kExtra, and in kExtra2 why it is
// not all: a negative errno. An error below zero when nothing has gone.
napi_value js_send_datagrams(napi_env env, napi_callback_info info) {
  const Args<8> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const Bytes memory = args.bytes(2);
  const std::span<DatagramEntry> all = entries_of(args, 3);
  const int32_t first = args.int32(4);
  const int32_t count = args.int32(5);
  const int32_t skipped = args.int32(6);
  const int32_t mode = args.int32(7, 0);
  if (first < 0 || count < 0 || skipped < 0) return to_js(env, -EINVAL);
  if (static_cast<size_t>(first) + static_cast<size_t>(count) > all.size()) {
    return to_js(env, -EFAULT);
  }
  const auto entries = all.subspan(static_cast<size_t>(first), static_cast<size_t>(count));
  const bool is_whole = std::ranges::all_of(
      entries, [&](const DatagramEntry& entry) { return lies_within(entry, memory); });
  if (!is_whole || (skipped > 0 && skipped >= entries.front().length)) return to_js(env, -EFAULT);
  const sys::SendSlots slots{.entries = entries,
                             .memory = memory.data,
                             .skipped = static_cast<size_t>(skipped),
                             .may_offload = (mode & kOffload) != 0};
  const sys::SendProgress progress =
      net::send_datagrams(context.reactor(), *source, context.datagrams(), slots, mode_of(mode));
  context.control(kExtra) = static_cast<int32_t>(progress.bytes);
  context.control(kExtra2) = -progress.error;
  const bool nothing = progress.error != 0 && progress.datagrams == 0;
  return to_js(env, nothing ? -progress.error : static_cast<int64_t>(progress.entries));
}

// The entry that the address is in, and that it goes to.
template <size_t N>
DatagramEntry* entry_of(const Args<N>& args, size_t array, size_t number) {
  const std::span<DatagramEntry> entries = entries_of(args, array);
  const int32_t at = args.int32(number);
  return at >= 0 && static_cast<size_t>(at) < entries.size() ? &entries[static_cast<size_t>(at)]
                                                             : nullptr;
}

// writeAddress(entries, entry, host, port, isPath) -> 0 or negative errno.
napi_value js_write_address(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  DatagramEntry* const entry = entry_of(args, 0, 1);
  if (entry == nullptr) return to_js(env, -EFAULT);
  const std::string host = args.string(2);
  const auto port = static_cast<uint16_t>(args.int32(3));
  Result<sys::SockAddr> address =
      args.boolean(4) ? sys::SockAddr::from_path(host) : sys::SockAddr::from_literal(host, port);
  if (!address.ok()) return args.context().fail(address.error());
  entry->address_size = address.value().size();
  std::memcpy(entry->address, address.value().get(), address.value().size());
  return to_js(env, 0);
}

// readAddress(entries, entry) -> the address, with its port in kExtra; "" for none.
napi_value js_read_address(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  const DatagramEntry* const entry = entry_of(args, 0, 1);
  if (entry == nullptr || entry->address_size > sizeof(entry->address)) return to_js(env, -EFAULT);
  const auto address = sys::SockAddr::from_raw(entry->address, entry->address_size);
  args.context().control(kExtra) = address.port();
  return to_js(env, address.host());
}

sys::SockAddr address_from(const unsigned char* bytes, bool is_ipv6) {
  if (!is_ipv6) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    std::memcpy(&address.sin_addr, bytes, sizeof(address.sin_addr));
    return sys::SockAddr::from_raw(&address, sizeof(address));
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  std::memcpy(&address.sin6_addr, bytes, sizeof(address.sin6_addr));
  return sys::SockAddr::from_raw(&address, sizeof(address));
}

// readDestination(entries, entry, answer) -> the address that the datagram was sent to, or (answer)
// the one of this host that it can be answered from; "" when that is not known.
napi_value js_read_destination(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  const DatagramEntry* const entry = entry_of(args, 0, 1);
  if (entry == nullptr) return to_js(env, -EFAULT);
  const bool is_ipv6 = (entry->flags & sys::datagram_flag::kIsIpv6) != 0;
  if (!args.boolean(2)) return to_js(env, address_from(entry->destination, is_ipv6).host());
  if (!is_ipv6) return to_js(env, address_from(entry->answer_from, false).host());
  const bool is_group = entry->destination[0] == 0xff;
  return to_js(env, is_group ? "" : address_from(entry->destination, true).host());
}

// writeSource(entries, entry, host, interface) -> 0 or negative errno: the datagram is to leave
// from that address (a literal, or "" for any) by that interface (0: any).
napi_value js_write_source(napi_env env, napi_callback_info info) {
  const Args<5> args(env, info);
  DatagramEntry* const entry = entry_of(args, 0, 1);
  if (entry == nullptr) return to_js(env, -EFAULT);
  const std::string host = args.string(2);
  const bool is_ipv6 = args.boolean(4);
  entry->interface = static_cast<uint32_t>(args.int32(3, 0));
  entry->flags |= sys::datagram_flag::kLocal | (is_ipv6 ? sys::datagram_flag::kIsIpv6 : 0);
  std::memset(entry->answer_from, 0, sizeof(entry->answer_from));
  std::memset(entry->destination, 0, sizeof(entry->destination));
  if (host.empty()) return to_js(env, 0);
  Result<sys::SockAddr> address = sys::SockAddr::from_literal(host, 0);
  if (!address.ok()) return args.context().fail(address.error());
  if (is_ipv6) {
    const auto* const raw = reinterpret_cast<const sockaddr_in6*>(address.value().get());
    std::memcpy(entry->destination, &raw->sin6_addr, sizeof(raw->sin6_addr));
  } else {
    const auto* const raw = reinterpret_cast<const sockaddr_in*>(address.value().get());
    std::memcpy(entry->answer_from, &raw->sin_addr, sizeof(raw->sin_addr));
  }
  return to_js(env, 0);
}

// changeMembership(index, generation, group, source, interface, joins) -> 0 or negative errno. The
// source is a literal, or "" for everybody's datagrams.
napi_value js_change_membership(napi_env env, napi_callback_info info) {
  const Args<6> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  Result<sys::SockAddr> group = sys::SockAddr::from_literal(args.string(2), 0);
  if (!group.ok()) return context.fail(group.error());
  sys::Membership membership{.group = group.value(), .source = {}, .interface = 0};
  const std::string host = args.string(3);
  if (!host.empty()) {
    Result<sys::SockAddr> sender = sys::SockAddr::from_literal(host, 0);
    if (!sender.ok()) return context.fail(sender.error());
    membership.source = sender.value();
  }
  membership.interface = static_cast<uint32_t>(args.int32(4, 0));
  const int fd = source->fd.get();
  return context.outcome(args.boolean(5) ? sys::join_group(fd, membership)
                                         : sys::leave_group(fd, membership));
}

// setMulticastInterface(index, generation, family, interface) -> 0 or negative errno; family 1 is
// IPv6.
napi_value js_set_multicast_interface(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const int family = args.int32(2) == 1 ? AF_INET6 : AF_INET;
  return args.context().outcome(sys::set_multicast_interface(
      source->fd.get(), family, static_cast<uint32_t>(args.int32(3, 0))));
}

// bindToDevice(index, generation, name) -> 0 or negative errno.
napi_value js_bind_to_device(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  return args.context().outcome(sys::bind_to_device(source->fd.get(), args.string(2)));
}

// boundDevice(index, generation) -> its name, "" for none, or negative errno.
napi_value js_bound_device(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  Result<std::string> name = sys::bound_device(source->fd.get());
  return name.ok() ? to_js(env, name.value()) : args.context().fail(name.error());
}

// interfaceIndex(name) -> its number, 0 when there is none.
napi_value js_interface_index(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return to_js(env, sys::interface_index(args.string(0)));
}

// interfaceName(index) -> its name, "" when there is none.
napi_value js_interface_name(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  return to_js(env, sys::interface_name(static_cast<uint32_t>(args.int32(0, 0))));
}

// receiveError(index, generation, memory, wait) -> [bytes, errno, origin, type, code, info,
// address, port, offender] of the oldest error in the socket's queue, with the front of the
// datagram in the memory; or negative errno.
napi_value js_receive_error(napi_env env, napi_callback_info info) {
  const Args<4> args(env, info);
  Context& context = args.context();
  reactor::Source* source = source_of(args);
  if (source == nullptr) return to_js(env, -EBADF);
  const Bytes memory = args.bytes(2);
  if (memory.data == nullptr) return to_js(env, -EFAULT);
  sys::QueuedError error;
  const sys::IoResult count = sys::receive_error(source->fd.get(), memory.data, memory.size, error);
  if (count == -EAGAIN && args.boolean(3) && !source->registered()) {
    const Status armed = context.reactor().await(*source, reactor::kRead);
    if (!armed.ok()) return context.fail(armed.error());
  }
  if (count < 0) return to_js(env, count);
  napi_value list = nullptr;
  napi_create_array(env, &list);
  uint32_t at = 0;
  for (const int64_t number :
       {count, static_cast<int64_t>(error.code), static_cast<int64_t>(error.origin),
        static_cast<int64_t>(error.type), static_cast<int64_t>(error.icmp_code),
        static_cast<int64_t>(error.info)}) {
    napi_set_element(env, list, at++, to_js(env, number));
  }
  napi_set_element(env, list, at++, to_js(env, error.destination.host()));
  napi_set_element(env, list, at++, to_js(env, error.destination.port()));
  napi_set_element(env, list, at++, to_js(env, error.offender.host()));
  return list;
}

}  // namespace

void install_datagram(Installer& installer) {
  installer.add("receiveDatagrams", js_receive_datagrams);
  installer.add("sendDatagrams", js_send_datagrams);
  installer.add("writeAddress", js_write_address);
  installer.add("readAddress", js_read_address);
  installer.add("readDestination", js_read_destination);
  installer.add("writeSource", js_write_source);
  installer.add("changeMembership", js_change_membership);
  installer.add("setMulticastInterface", js_set_multicast_interface);
  installer.add("bindToDevice", js_bind_to_device);
  installer.add("boundDevice", js_bound_device);
  installer.add("interfaceIndex", js_interface_index);
  installer.add("interfaceName", js_interface_name);
  installer.add("receiveError", js_receive_error);
}

}  // namespace sock::binding
