#include "load.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

// Long enough for a slow start of the server's threads, short enough to fail a hung run.
#define CONNECT_TIMEOUT_S 10
// 127.0.0.1 to 127.0.234.96.
#define SOURCES 60000u
#define PHASE_POLL_NS 100000000ull

void pacer_open(struct pacer* pacer, const struct load* load, size_t operations_per_start) {
  pacer->interval =
      load->rate > 0 ? (uint64_t)(1e9 * (double)operations_per_start / load->rate) : 0;
  pacer->due = now_ns();
  pacer->capacity = load->connections;
  pacer->idle = must_calloc(load->connections, sizeof *pacer->idle);
}

void pacer_release(struct pacer* pacer, size_t index) {
  pacer->idle[(pacer->head + pacer->count++) % pacer->capacity] = index;
}

bool pacer_take(struct pacer* pacer, uint64_t now, size_t* index, uint64_t* due) {
  if (pacer->count == 0 || pacer->due > now) return false;
  *index = pacer->idle[pacer->head];
  *due = pacer->due;
  pacer->head = (pacer->head + 1) % pacer->capacity;
  pacer->count--;
  pacer->due += pacer->interval;
  return true;
}

int wait_for_events(int epoll, void* events, int capacity, const struct load* load,
                    const struct pacer* pacer) {
  uint64_t now = now_ns();
  uint64_t until = now + PHASE_POLL_NS;
  if (load->window.phase != PHASE_DONE && load->window.end < until) until = load->window.end;
  if (pacer->count > 0 && pacer->due < until) until = pacer->due;
  uint64_t wait = until > now ? until - now : 0;
  struct timespec timeout = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
  int count = epoll_pwait2(epoll, events, capacity, &timeout, NULL);
  if (count < 0 && errno != EINTR) die("epoll_pwait2");
  return count < 0 ? 0 : count;
}

const char* congestion_of(int fd) {
  static char name[16];
  socklen_t size = sizeof name;
  return getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size) == 0 ? name : NULL;
}

static int await_connected(int fd) {
  struct epoll_event event;
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1");
  must_register(epoll, EPOLL_CTL_ADD, fd, EPOLLOUT, 0);
  int ready;
  do ready = epoll_wait(epoll, &event, 1, CONNECT_TIMEOUT_S * 1000);
  while (ready < 0 && errno == EINTR);
  close(epoll);
  int error = ETIMEDOUT;
  socklen_t size = sizeof error;
  if (ready > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) die("SO_ERROR");
  errno = error;
  return error == 0 ? 0 : -1;
}

int connect_socket(const struct load* load, uint32_t source) {
  int family = load->address.ss_family;
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  if (family == AF_INET) {
    int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) die("TCP_NODELAY");
    if (source != 0) {
      struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(source)};
      if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
          bind(fd, (struct sockaddr*)&from, sizeof from) != 0) {
        die("bind the source address");
      }
    }
  }
  struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_S};
  if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0) die("SO_SNDTIMEO");
  // On loopback the handshake is over before connect() returns: blocking costs nothing.
  int connected = connect(fd, (const struct sockaddr*)&load->address, load->address_size);
  if (connected != 0 && errno == EINTR) connected = await_connected(fd);
  if (connected == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

int connect_from_next(const struct load* load) {
  static uint32_t count;
  return connect_socket(load, INADDR_LOOPBACK + count++ % SOURCES);
}

void fill_pattern(uint8_t* bytes, size_t size, uint64_t seed) {
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (size_t i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    bytes[i] = (uint8_t)state;
  }
}

enum load_option {
  OPTION_HOST = 1,
  OPTION_PORT,
  OPTION_PATH,
  OPTION_CONNECTIONS,
  OPTION_SIZE,
  OPTION_PIPELINE,
  OPTION_SECONDS,
  OPTION_WARMUP,
  OPTION_RATE,
  OPTION_SERVER_PID,
  OPTION_EVICT,
  OPTION_RESUME,
};

static const struct option kOptions[] = {
    {"host", required_argument, NULL, OPTION_HOST},
    {"port", required_argument, NULL, OPTION_PORT},
    {"path", required_argument, NULL, OPTION_PATH},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"pipeline", required_argument, NULL, OPTION_PIPELINE},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"warmup", required_argument, NULL, OPTION_WARMUP},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"server-pid", required_argument, NULL, OPTION_SERVER_PID},
    {"evict", required_argument, NULL, OPTION_EVICT},
    {"resume", no_argument, NULL, OPTION_RESUME},
    {NULL, 0, NULL, 0},
};

static void add_server(struct window* window, const char* text) {
  if (window->server_count == SERVERS_MAX) die_usage("too many --server-pid");
  window->servers[window->server_count++] = (pid_t)parse_size("--server-pid", text, 1, INT32_MAX);
}

static void parse_options(struct load* load, int argc, char** argv) {
  const char* host = "127.0.0.1";
  const char* path = NULL;
  size_t port = 0;
  int option;
  while ((option = getopt_long(argc, argv, "", kOptions, NULL)) != -1) {
    switch (option) {
      case OPTION_HOST:
        host = optarg;
        break;
      case OPTION_PORT:
        port = parse_size("--port", optarg, 1, 65535);
        break;
      case OPTION_PATH:
        path = optarg;
        break;
      case OPTION_CONNECTIONS:
        load->connections = parse_size("--connections", optarg, 1, 1000000);
        break;
      case OPTION_SIZE:
        load->size = parse_size("--size", optarg, 8, 1 << 30);
        break;
      case OPTION_PIPELINE:
        load->pipeline = parse_size("--pipeline", optarg, 1, 4096);
        break;
      case OPTION_SECONDS:
        load->window.seconds = parse_number("--seconds", optarg);
        break;
      case OPTION_WARMUP:
        load->window.warmup = parse_number("--warmup", optarg);
        break;
      case OPTION_RATE:
        load->rate = parse_number("--rate", optarg);
        break;
      case OPTION_SERVER_PID:
        add_server(&load->window, optarg);
        break;
      case OPTION_EVICT:
        load->evict = optarg;
        break;
      case OPTION_RESUME:
        load->resume = true;
        break;
      default:
        die_usage("load MODE [options], see README.md");
    }
  }
  if (path == NULL && port == 0) die_usage("--port or --path is needed");
  load->address_size = parse_address(path, host, port, &load->address);
}

int main(int argc, char** argv) {
  static struct load load = {.connections = 64, .size = 64, .pipeline = 1, .window.seconds = 1};
  parse_options(&load, argc, argv);
  if (optind != argc - 1) die_usage("one mode is needed, see README.md");
  raise_open_files();
  // The default slack of 50 us would blur every paced start.
  if (prctl(PR_SET_TIMERSLACK, 1) != 0) die("PR_SET_TIMERSLACK");
  for (const struct mode* mode = kModes; mode->name != NULL; mode++) {
    if (strcmp(mode->name, argv[optind]) == 0) return mode->run(&load);
  }
  die_usage("unknown mode");
}
