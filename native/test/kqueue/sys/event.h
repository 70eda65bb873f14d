// For tests on Linux only, and never shipped: the part of <sys/event.h> that poller_kqueue.cc uses,
// with the values of the BSDs. What stands behind it is kqueue.cc beside this folder.
#pragma once

#include <cstdint>
#include <ctime>

struct kevent {
  uintptr_t ident;
  int16_t filter;
  uint16_t flags;
  uint32_t fflags;
  intptr_t data;
  void* udata;
};

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_USER (-10)

#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ENABLE 0x0004
#define EV_DISABLE 0x0008
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020
#define EV_RECEIPT 0x0040
#define EV_DISPATCH 0x0080
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

#define NOTE_LOWAT 0x00000001
#define NOTE_TRIGGER 0x01000000

extern "C" {
int kqueue();
int kevent(int kq, const struct kevent* changes, int change_count, struct kevent* events,
           int event_count, const timespec* timeout);
}
