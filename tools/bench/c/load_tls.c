// The same load over TLS 1.3: echo, short connections, bulk and idle. It has Debian's OpenSSL for
// everybody alike, and verifies nothing: the bench is about the server.
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

#define READ_SIZE (256 * 1024)
#define CHUNK_SIZE (1024u * 1024u)
#define PAGE_SIZE 4096u
#define SILENCE_MAX_S 10

struct peer {
  int fd;
  SSL* ssl;
  SSL_SESSION* session;  // of this peer's full handshake, for its next connections
  bool is_shaken;
  size_t sent;
  size_t received;
  uint64_t turn;
  uint64_t started;
  uint8_t* message;
};

struct run {
  SSL_CTX* context;
  struct loop loop;
  size_t message_size;
  struct peer* peers;
};

_Noreturn static void die_tls(const char* what) {
  ERR_print_errors_fp(stderr);
  die(what);
}

static int on_session(SSL* ssl, SSL_SESSION* session) {
  struct peer* peer = SSL_get_app_data(ssl);
  if (SSL_session_reused(ssl)) return 0;
  SSL_SESSION_free(peer->session);
  peer->session = session;
  return 1;
}

static void run_open(struct run* run, struct load* load) {
  run->message_size = load->size * load->pipeline;
  // Writes that a reset connection refuses are errors here, not signals.
  signal(SIGPIPE, SIG_IGN);
  run->context = SSL_CTX_new(TLS_client_method());
  if (run->context == NULL || SSL_CTX_set_min_proto_version(run->context, TLS1_3_VERSION) != 1) {
    die_tls("SSL_CTX_new");
  }
  SSL_CTX_set_mode(run->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
                                     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(run->context, 1);
  if (load->resume) {
    SSL_CTX_set_session_cache_mode(run->context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(run->context, on_session);
  }
  run->peers = must_calloc(load->connections, sizeof *run->peers);
}

// On a connection, with the handshake still to come.
static void peer_open(struct run* run, struct peer* peer, int fd) {
  if (fd < 0) die("connect");
  peer->fd = fd;
  peer->ssl = SSL_new(run->context);
  if (peer->ssl == NULL || SSL_set_fd(peer->ssl, peer->fd) != 1 ||
      SSL_set_tlsext_host_name(peer->ssl, "localhost") != 1) {
    die_tls("SSL_new");
  }
  SSL_set_app_data(peer->ssl, peer);
  if (peer->session != NULL) {
    // A copy: OpenSSL gives a session up once it has a newer ticket.
    SSL_SESSION* session = SSL_SESSION_dup(peer->session);
    if (session == NULL || SSL_set_session(peer->ssl, session) != 1) die_tls("SSL_set_session");
    SSL_SESSION_free(session);
  }
  SSL_set_connect_state(peer->ssl);
  peer->is_shaken = false;
}

static void peer_handshake(struct peer* peer) {
  struct timeval silence = {.tv_sec = SILENCE_MAX_S};
  if (setsockopt(peer->fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence) != 0) {
    die("SO_RCVTIMEO");
  }
  if (SSL_do_handshake(peer->ssl) != 1) die_tls("SSL_do_handshake");
  peer->is_shaken = true;
}

static void set_nonblocking(int fd) {
  if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) die("O_NONBLOCK");
}

static void peer_watch(struct run* run, const struct peer* peer, int operation, bool wants_write) {
  loop_watch(&run->loop, operation, peer->fd, wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN,
             (size_t)(peer - run->peers));
}

// True once all of the message is written; false while the kernel takes no more, or at an error,
// which the next read tells.
static bool peer_write(struct run* run, struct peer* peer) {
  while (peer->sent < run->message_size) {
    size_t count = 0;
    int result =
        SSL_write_ex(peer->ssl, peer->message + peer->sent, run->message_size - peer->sent, &count);
    if (result != 1) {
      peer_watch(run, peer, EPOLL_CTL_MOD,
                 SSL_get_error(peer->ssl, result) == SSL_ERROR_WANT_WRITE);
      return false;
    }
    peer->sent += count;
  }
  return true;
}

enum reading { READING_WAITS, READING_DONE, READING_ENDED, READING_FAILED };

// Takes what is there, and compares it.
static enum reading peer_read(struct run* run, struct peer* peer) {
  static uint8_t answer[READ_SIZE];
  for (;;) {
    size_t count = 0;
    int result = SSL_read_ex(peer->ssl, answer, sizeof answer, &count);
    if (result != 1) {
      int reason = SSL_get_error(peer->ssl, result);
      if (reason == SSL_ERROR_WANT_READ) return READING_WAITS;
      return reason == SSL_ERROR_ZERO_RETURN ? READING_ENDED : READING_FAILED;
    }
    if (count > peer->sent - peer->received ||
        memcmp(answer, peer->message + peer->received, count) != 0) {
      fprintf(stderr, "wrong echo: %zu bytes at %zu of %zu\n", count, peer->received,
              run->message_size);
      exit(1);
    }
    peer->received += count;
    if (peer->received == run->message_size && !SSL_has_pending(peer->ssl)) return READING_DONE;
  }
}

// A number that moves with every turn shows an answer that belongs to an earlier question.
static void number_messages(struct run* run, struct peer* peer) {
  for (size_t i = 0; i < run->loop.load->pipeline; i++) {
    uint64_t turn = ++peer->turn;
    memcpy(peer->message + i * run->loop.load->size, &turn, sizeof turn);
  }
  peer->sent = 0;
  peer->received = 0;
}

static void work(struct run* run) {
  loop_run(&run->loop);
  run->loop.load->window.errors += run->loop.busy;
  window_print(&run->loop.load->window, congestion_of(run->peers[0].fd));
}

static bool start_echo(void* owner, size_t slot, uint64_t started) {
  struct run* run = owner;
  struct peer* peer = &run->peers[slot];
  number_messages(run, peer);
  peer->started = started;
  peer_write(run, peer);
  return true;
}

static void on_echo_event(void* owner, size_t slot, uint32_t events) {
  struct run* run = owner;
  struct peer* peer = &run->peers[slot];
  (void)events;
  if (peer->sent < run->message_size && peer_write(run, peer)) {
    peer_watch(run, peer, EPOLL_CTL_MOD, false);
  }
  switch (peer_read(run, peer)) {
    case READING_WAITS:
      return;
    case READING_DONE:
      break;
    default:
      die_tls("the server ended a connection");
  }
  uint64_t now = now_ns();
  window_record(&run->loop.load->window, now - peer->started, run->loop.load->pipeline);
  loop_finish(&run->loop, slot, now);
}

static int run_tls_echo(struct load* load) {
  static struct run run;
  run_open(&run, load);
  run.loop =
      (struct loop){.load = load, .owner = &run, .start = start_echo, .react = on_echo_event};
  loop_open(&run.loop, load->pipeline);
  for (size_t i = 0; i < load->connections; i++) {
    struct peer* peer = &run.peers[i];
    peer_open(&run, peer, connect_socket(load, 0));
    peer_handshake(peer);
    set_nonblocking(peer->fd);
    peer->message = must_calloc(1, run.message_size);
    fill_pattern(peer->message, run.message_size, i + 1);
    peer_watch(&run, peer, EPOLL_CTL_ADD, false);
  }
  work(&run);
  return 0;
}

static bool start_connect(void* owner, size_t slot, uint64_t started) {
  struct run* run = owner;
  struct peer* peer = &run->peers[slot];
  peer->started = started;
  peer_open(run, peer, connect_from_next(run->loop.load));
  set_nonblocking(peer->fd);
  number_messages(run, peer);
  peer_watch(run, peer, EPOLL_CTL_ADD, false);
  // Says hello; the answer is an event.
  SSL_do_handshake(peer->ssl);
  return true;
}

static void finish_connect(struct run* run, struct peer* peer, bool good) {
  uint64_t now = now_ns();
  struct window* window = &run->loop.load->window;
  must_reset_on_close(peer->fd);
  // Without having said its close_notify OpenSSL would not resume the session.
  SSL_set_shutdown(peer->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(peer->ssl);
  close(peer->fd);
  ERR_clear_error();
  if (good)
    window_record(window, now - peer->started, 1);
  else
    window->errors++;
  loop_finish(&run->loop, (size_t)(peer - run->peers), now);
}

static void on_connect_event(void* owner, size_t slot, uint32_t events) {
  struct run* run = owner;
  struct peer* peer = &run->peers[slot];
  (void)events;
  if (!peer->is_shaken) {
    bool had_session = peer->session != NULL;
    int result = SSL_do_handshake(peer->ssl);
    if (result != 1 && SSL_get_error(peer->ssl, result) == SSL_ERROR_WANT_READ) return;
    // A server that makes a full handshake where a resumed one was asked for is not measured.
    if (result != 1 || SSL_session_reused(peer->ssl) != (had_session ? 1 : 0)) {
      finish_connect(run, peer, false);
      return;
    }
    peer->is_shaken = true;
    peer_write(run, peer);
  }
  enum reading reading = peer_read(run, peer);
  if (reading == READING_DONE) reading = peer_read(run, peer);
  if (reading == READING_WAITS) return;
  finish_connect(run, peer, reading == READING_ENDED && peer->received == run->message_size);
}

static int run_tls_connect(struct load* load) {
  static struct run run;
  run_open(&run, load);
  run.loop =
      (struct loop){.load = load, .owner = &run, .start = start_connect, .react = on_connect_event};
  loop_open(&run.loop, load->pipeline);
  for (size_t i = 0; i < load->connections; i++) {
    run.peers[i].message = must_calloc(1, run.message_size);
    fill_pattern(run.peers[i].message, run.message_size, i + 1);
  }
  work(&run);
  return 0;
}

// Every page of a chunk begins with its number in the chunk.
static void check_chunk(uint64_t position, const uint8_t* bytes, size_t size) {
  uint64_t end = position + size;
  for (uint64_t start = (position + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
       start + sizeof(uint32_t) <= end; start += PAGE_SIZE) {
    uint32_t page = (uint32_t)(start % CHUNK_SIZE / PAGE_SIZE);
    if (memcmp(bytes + (start - position), &page, sizeof page) == 0) continue;
    fprintf(stderr, "wrong bytes in page %u\n", page);
    exit(1);
  }
}

static int run_tls_bulk(struct load* load) {
  static struct run run;
  static uint8_t buffer[READ_SIZE];
  static const uint8_t question[8];
  run_open(&run, load);
  struct peer* peer = &run.peers[0];
  peer_open(&run, peer, connect_socket(load, 0));
  peer_handshake(peer);
  window_open(&load->window);
  while (window_advance(&load->window, now_ns()) != PHASE_DONE) {
    uint64_t started = now_ns();
    uint64_t counted = 0;
    if (SSL_write(peer->ssl, question, sizeof question) != sizeof question) die_tls("SSL_write");
    for (uint64_t position = 0; position < load->size;) {
      size_t count = 0;
      if (SSL_read_ex(peer->ssl, buffer, sizeof buffer, &count) != 1) die_tls("SSL_read");
      if (count > load->size - position) die_usage("more came than was asked for");
      check_chunk(position, buffer, count);
      position += count;
      window_count(&load->window, (position >> 20) - counted);
      counted = position >> 20;
      window_advance(&load->window, now_ns());
    }
    window_record(&load->window, now_ns() - started, 0);
  }
  window_print(&load->window, congestion_of(peer->fd));
  return 0;
}

static int run_tls_idle(struct load* load) {
  static struct run run;
  char line[32];
  size_t open = 0;
  run_open(&run, load);
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    size_t wanted = parse_size("connections on stdin", line, open, 1000000);
    // Kept by nobody: they live as long as the process.
    for (; open < wanted; open++) {
      struct peer peer = {0};
      peer_open(&run, &peer, connect_socket(load, 0));
      peer_handshake(&peer);
    }
    printf("{\"open\":%zu}\n", open);
    fflush(stdout);
  }
  return 0;
}

const struct mode kModes[] = {{"tls-echo", run_tls_echo},
                              {"tls-connect", run_tls_connect},
                              {"tls-bulk", run_tls_bulk},
                              {"tls-idle", run_tls_idle},
                              {NULL, NULL}};
