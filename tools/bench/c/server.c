#include "server.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <unistd.h>

#define EVENTS_MAX 1024
#define WORKERS_MAX 64
#define BACKLOG 4096
#define SIZE_BYTES_MAX (1u << 30)

struct settings {
  const struct workload* workload;
  const char* path;
  const char* file;
  const char* identity;
  size_t upstream;
  size_t workers;
  size_t frame_size;
  bool gather;
  bool uring;
};

static const struct workload* find_workload(const char* name) {
  for (const struct workload* const* each = kWorkloads; *each != NULL; each++) {
    if (strcmp((*each)->name, name) == 0) return *each;
  }
  die_usage("--workload is one of those in README.md");
}

static void parse_options(struct settings* settings, int argc, char** argv) {
  static const struct option options[] = {
      {"workload", required_argument, NULL, 'l'}, {"path", required_argument, NULL, 'p'},
      {"workers", required_argument, NULL, 'w'},  {"size", required_argument, NULL, 's'},
      {"gather", no_argument, NULL, 'g'},         {"file", required_argument, NULL, 'f'},
      {"upstream", required_argument, NULL, 'u'}, {"identity", required_argument, NULL, 'i'},
      {"uring", no_argument, NULL, 'r'},          {NULL, 0, NULL, 0},
  };
  int option;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    switch (option) {
      case 'l':
        settings->workload = find_workload(optarg);
        break;
      case 'p':
        settings->path = optarg;
        break;
      case 'w':
        settings->workers = parse_size("--workers", optarg, 1, WORKERS_MAX);
        break;
      case 's':
        settings->frame_size = parse_size("--size", optarg, 1, SIZE_BYTES_MAX);
        break;
      case 'g':
        settings->gather = true;
        break;
      case 'r':
        settings->uring = true;
        break;
      case 'f':
        settings->file = optarg;
        break;
      case 'i':
        settings->identity = optarg;
        break;
      case 'u':
        settings->upstream = parse_size("--upstream", optarg, 1, 65535);
        break;
      default:
        die_usage("server --workload NAME [options], see README.md");
    }
  }
}

static int open_listener(const struct settings* settings, size_t port) {
  struct sockaddr_storage address;
  socklen_t size = parse_address(settings->path, "127.0.0.1", port, &address);
  int on = 1;
  bool is_datagrams = settings->workload->on_socket == NULL;
  int type = is_datagrams ? SOCK_DGRAM : SOCK_STREAM;
  int fd = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  // What is set on a listener, every accepted socket inherits: no call per connection.
  if (!is_datagrams && address.ss_family == AF_INET &&
      (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
       (settings->workers > 1 && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0))) {
    die("setsockopt");
  }
  if (bind(fd, (struct sockaddr*)&address, size) != 0) die("bind");
  if (!is_datagrams && listen(fd, BACKLOG) != 0) die("listen");
  return fd;
}

static size_t port_of(int fd) {
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  if (getsockname(fd, (struct sockaddr*)&address, &size) != 0) die("getsockname");
  if (address.ss_family != AF_INET) return 0;
  return ntohs(((struct sockaddr_in*)&address)->sin_port);
}

bool run_commands(struct counters* counters, size_t workers) {
  char text[256];
  ssize_t count = read(STDIN_FILENO, text, sizeof text - 1);
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) return false;
  text[count] = '\0';
  for (char* line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    if (strcmp(line, "reset") == 0) {
      for (size_t i = 0; i < workers; i++) counters[i].wakeups = 0;
    }
    uint64_t wakeups = 0;
    uint64_t accepted = 0;
    for (size_t i = 0; i < workers; i++) {
      wakeups += counters[i].wakeups;
      accepted += counters[i].accepted;
    }
    printf("{\"wakeups\":%llu,\"accepted\":%llu}\n", (unsigned long long)wakeups,
           (unsigned long long)accepted);
    fflush(stdout);
  }
  return true;
}

static void serve(struct worker* worker, const struct workload* workload, bool first,
                  size_t workers) {
  static struct epoll_event events[EVENTS_MAX];
  for (;;) {
    int count = epoll_wait(worker->epoll, events, EVENTS_MAX, -1);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    worker->counters->wakeups++;
    for (int i = 0; i < count; i++) {
      int fd = (int)events[i].data.u64;
      if (fd == worker->listener) {
        workload->on_listener(worker);
      } else if (fd == STDIN_FILENO && first) {
        if (!run_commands(worker->counters, workers)) return;
      } else {
        workload->on_socket(worker, fd, events[i].events);
      }
    }
  }
}

static void run_worker(const struct settings* settings, int listener, struct counters* counters,
                       bool first) {
  size_t files = raise_open_files();
  struct worker worker = {.listener = listener,
                          .frame_size = settings->frame_size,
                          .gather = settings->gather,
                          .counters = counters,
                          .accept_batch = 1,
                          .backlogs = must_calloc(files, sizeof(struct backlog*)),
                          .carries = must_calloc(files, sizeof(struct carry*)),
                          .states = must_calloc(files, sizeof(void*)),
                          .file = settings->file,
                          .identity = settings->identity,
                          .upstream = settings->upstream};
  if (settings->uring) {
    serve_by_ring(&worker, first, settings->workers);
    return;
  }
  worker.epoll = epoll_create1(EPOLL_CLOEXEC);
  if (worker.epoll < 0) die("epoll_create1");
  must_register(worker.epoll, EPOLL_CTL_ADD, listener, EPOLLIN, (uint64_t)listener);
  if (first) must_register(worker.epoll, EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN, STDIN_FILENO);
  serve(&worker, settings->workload, first, settings->workers);
}

static pid_t fork_worker(const struct settings* settings, int listener, struct counters* counters) {
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid > 0) return pid;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) die("PR_SET_PDEATHSIG");
  if (getppid() == parent) run_worker(settings, listener, counters, false);
  _exit(0);
}

int run_server(int argc, char** argv) {
  struct settings settings = {.workload = kWorkloads[0], .workers = 1, .frame_size = 64};
  parse_options(&settings, argc, argv);
  struct counters* counters = mmap(NULL, sizeof(struct counters) * WORKERS_MAX,
                                   PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (counters == MAP_FAILED) die("mmap");
  int listeners[WORKERS_MAX];
  // All listeners stand before the port is announced: a late one would miss its share.
  listeners[0] = open_listener(&settings, 0);
  size_t port = port_of(listeners[0]);
  for (size_t i = 1; i < settings.workers; i++) listeners[i] = open_listener(&settings, port);
  printf("{\"port\":%zu,\"pid\":%d,\"pids\":[%d", port, getpid(), getpid());
  pid_t children[WORKERS_MAX];
  for (size_t i = 1; i < settings.workers; i++) {
    children[i] = fork_worker(&settings, listeners[i], &counters[i]);
  }
  for (size_t i = 1; i < settings.workers; i++) {
    printf(",%d", children[i]);
    close(listeners[i]);
  }
  puts("]}");
  fflush(stdout);
  run_worker(&settings, listeners[0], counters, true);
  if (settings.path != NULL) unlink(settings.path);
  return 0;
}
