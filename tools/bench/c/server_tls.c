// TLS: echo, idle, short connections and bulk, on whatever OpenSSL the program runs with. One recv
// empties a busy socket (read-ahead); memory for records is given back between them.
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "server.h"

#define CHUNK_SIZE (1024u * 1024u)
#define PAGE_SIZE 4096u
#define QUESTION_SIZE 8
// Records of bulk are sent together: a call for each 16 KiB costs more than the copy.
#define GATHER_SIZE (256 * 1024)

struct session {
  SSL* ssl;
  uint32_t events;
  size_t owed;    // bytes of bulk that have been asked for
  size_t asked;   // bytes of a question
  size_t kept;    // bytes of an echo that the kernel has not taken
  uint8_t* echo;  // those bytes
};

static SSL_CTX* context_of(const struct worker* worker) {
  static SSL_CTX* context;
  if (context != NULL) return context;
  if (worker->identity == NULL) die_usage("--identity is needed");
  context = SSL_CTX_new(TLS_server_method());
  if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_use_certificate_chain_file(context, worker->identity) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, worker->identity, SSL_FILETYPE_PEM) != 1) {
    ERR_print_errors_fp(stderr);
    die_usage("the context of TLS was not made");
  }
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  // Tickets alone: a cache would grow with every connection of the bench.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  return context;
}

static void accept_all(struct worker* worker) {
  for (;;) {
    int fd = accept4(worker->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0 && errno == EAGAIN) return;
    if (fd < 0) die("accept4");
    struct session* session = must_calloc(1, sizeof *session);
    session->ssl = SSL_new(context_of(worker));
    if (session->ssl == NULL || SSL_set_fd(session->ssl, fd) != 1) die("SSL_new");
    SSL_set_accept_state(session->ssl);
    session->events = EPOLLIN;
    worker->states[fd] = session;
    must_register(worker->epoll, EPOLL_CTL_ADD, fd, EPOLLIN, (uint64_t)fd);
  }
}

static void drop(struct worker* worker, int fd) {
  struct session* session = worker->states[fd];
  worker->states[fd] = NULL;
  SSL_free(session->ssl);
  free(session->echo);
  free(session);
  close(fd);
}

static void watch(struct worker* worker, int fd, uint32_t events) {
  struct session* session = worker->states[fd];
  if (session->events == events) return;
  session->events = events;
  must_register(worker->epoll, EPOLL_CTL_MOD, fd, events, (uint64_t)fd);
}

// Waits for what OpenSSL wants. False when the connection is over, and gone.
static bool await(struct worker* worker, int fd, int result) {
  struct session* session = worker->states[fd];
  int reason = SSL_get_error(session->ssl, result);
  if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) {
    watch(worker, fd, reason == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT);
    return true;
  }
  ERR_clear_error();
  drop(worker, fd);
  return false;
}

// The handshake's steps; counted as accepted once it is done. False while it is not.
static bool is_ready(struct worker* worker, int fd) {
  struct session* session = worker->states[fd];
  if (SSL_is_init_finished(session->ssl)) return true;
  int result = SSL_do_handshake(session->ssl);
  if (result == 1) {
    worker->counters->accepted++;
    watch(worker, fd, EPOLLIN);
    return true;
  }
  await(worker, fd, result);
  return false;
}

// Bytes that were taken; fewer than `size` when the connection waits or is gone.
static size_t transmit(struct worker* worker, int fd, const uint8_t* bytes, size_t size) {
  SSL* ssl = ((struct session*)worker->states[fd])->ssl;
  size_t sent = 0;
  while (sent < size) {
    size_t count = 0;
    int result = SSL_write_ex(ssl, bytes + sent, size - sent, &count);
    if (result != 1) {
      await(worker, fd, result);
      return sent;
    }
    sent += count;
  }
  return sent;
}

static void keep(struct session* session, const uint8_t* bytes, size_t size) {
  session->echo = must_calloc(1, size);
  memcpy(session->echo, bytes, size);
  session->kept = size;
}

// False while an earlier answer waits.
static bool flush(struct worker* worker, int fd) {
  struct session* session = worker->states[fd];
  if (session->kept == 0) return true;
  size_t sent = transmit(worker, fd, session->echo, session->kept);
  if (worker->states[fd] == NULL) return false;
  session->kept -= sent;
  memmove(session->echo, session->echo + sent, session->kept);
  if (session->kept > 0) return false;
  free(session->echo);
  session->echo = NULL;
  watch(worker, fd, EPOLLIN);
  return true;
}

// 0 when there is nothing (more) to do on this connection now.
static size_t receive(struct worker* worker, int fd, uint8_t* into, size_t size) {
  size_t count = 0;
  int result = SSL_read_ex(((struct session*)worker->states[fd])->ssl, into, size, &count);
  if (result == 1) return count;
  await(worker, fd, result);
  return 0;
}

static void echo(struct worker* worker, int fd, uint32_t events) {
  static uint8_t buffer[READ_SIZE];
  (void)events;
  if (!is_ready(worker, fd) || !flush(worker, fd)) return;
  struct session* session = worker->states[fd];
  do {
    size_t count = receive(worker, fd, buffer, sizeof buffer);
    if (count == 0) return;
    size_t sent = transmit(worker, fd, buffer, count);
    if (worker->states[fd] == NULL) return;
    if (sent < count) {
      keep(session, buffer + sent, count - sent);
      return;
    }
  } while (SSL_has_pending(session->ssl));
}

static void answer_once(struct worker* worker, int fd, uint32_t events) {
  static uint8_t buffer[READ_SIZE];
  (void)events;
  if (!is_ready(worker, fd)) return;
  size_t count = receive(worker, fd, buffer, sizeof buffer);
  if (count == 0) return;
  transmit(worker, fd, buffer, count);
  struct session* session = worker->states[fd];
  if (session == NULL) return;
  SSL_shutdown(session->ssl);
  drop(worker, fd);
}

// Every page of a chunk begins with its number, as the load wants it.
static const uint8_t* chunk(void) {
  static uint8_t bytes[CHUNK_SIZE];
  static bool is_filled;
  for (uint32_t page = 0; !is_filled && page < CHUNK_SIZE / PAGE_SIZE; page++) {
    memcpy(bytes + page * PAGE_SIZE, &page, sizeof page);
  }
  is_filled = true;
  return bytes;
}

// From here on records go through a buffer, which is to be flushed.
static void gather(SSL* ssl) {
  BIO* buffer = BIO_new(BIO_f_buffer());
  BIO* socket = SSL_get_wbio(ssl);
  if (buffer == NULL || BIO_set_write_buffer_size(buffer, GATHER_SIZE) != 1 ||
      BIO_up_ref(socket) != 1) {
    die("BIO_f_buffer");
  }
  SSL_set0_wbio(ssl, BIO_push(buffer, socket));
}

// False while the kernel does not take all that was gathered.
static bool is_flushed(struct worker* worker, int fd) {
  bool is_all = BIO_flush(SSL_get_wbio(((struct session*)worker->states[fd])->ssl)) == 1;
  watch(worker, fd, is_all ? EPOLLIN : EPOLLOUT);
  return is_all;
}

static void bulk(struct worker* worker, int fd, uint32_t events) {
  (void)events;
  struct session* session = worker->states[fd];
  bool was_ready = SSL_is_init_finished(session->ssl);
  if (!is_ready(worker, fd)) return;
  if (!was_ready) gather(session->ssl);
  if (session->owed == 0) {
    if (!is_flushed(worker, fd)) return;
    uint8_t question[QUESTION_SIZE];
    size_t count = receive(worker, fd, question, sizeof question - session->asked);
    if (count == 0) return;
    session->asked = (session->asked + count) % QUESTION_SIZE;
    if (session->asked == 0) session->owed = worker->frame_size;
  }
  while (session->owed > 0) {
    size_t from = (worker->frame_size - session->owed) % CHUNK_SIZE;
    size_t size = CHUNK_SIZE - from < session->owed ? CHUNK_SIZE - from : session->owed;
    size_t sent = transmit(worker, fd, chunk() + from, size);
    if (worker->states[fd] == NULL) return;
    session->owed -= sent;
    if (sent < size) return;
  }
  is_flushed(worker, fd);
}

const struct workload kTlsEcho = {"echo", accept_all, echo};
const struct workload kTlsIdle = {"idle", accept_all, echo};
const struct workload kTlsConnect = {"connect", accept_all, answer_once};
const struct workload kTlsBulk = {"bulk", accept_all, bulk};
