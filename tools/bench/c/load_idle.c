// Idle connections: each line on stdin is the number that shall be open; it is answered when they
// are. The end of stdin ends the program and every connection with it.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

// 20,000 a second: a burst that outruns the server's accept would fill its backlog, and each
// refused handshake then waits a second for its retransmission.
#define BURST 50
#define PAUSE_NS 2500000

int run_idle(struct load* load) {
  const struct timespec pause = {0, PAUSE_NS};
  char line[32];
  size_t open = 0;
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    size_t wanted = parse_size("connections on stdin", line, open, 1000000);
    // The descriptors are kept by nobody: they live as long as the process.
    for (; open < wanted; open++) {
      if (connect_socket(load, 0) < 0) die("connect");
      if (open % BURST == 0) nanosleep(&pause, NULL);
    }
    printf("{\"open\":%zu}\n", open);
    fflush(stdout);
  }
  return 0;
}
