// HTTP: `connections` stay open; each asks for a page of its own name and waits for the answer,
// which must be whole (by its Content-Length) and say that name.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load.h"

#define EVENTS_MAX 256
#define REQUEST_MAX 128
#define ANSWER_MAX 4096
#define DRAIN_NS 5000000000ull

struct client {
  int fd;
  uint64_t turn;
  uint64_t started;
  size_t received;
  char answer[ANSWER_MAX + 1];
};

struct http {
  struct load* load;
  int epoll;
  size_t busy;
  struct client* clients;
  struct pacer pacer;
};

static void ask(struct http* http, struct client* client, uint64_t started) {
  char request[REQUEST_MAX];
  int size = snprintf(request, sizeof request, "GET /%llu HTTP/1.1\r\nHost: bench\r\n\r\n",
                      (unsigned long long)++client->turn);
  client->received = 0;
  client->started = started;
  http->busy++;
  // A request is far smaller than what the kernel takes of an idle connection.
  if (send(client->fd, request, (size_t)size, MSG_NOSIGNAL) != size) die("send");
}

static void fail_answer(const struct client* client, const char* reason) {
  fprintf(stderr, "wrong answer, turn %llu, %s: %.*s\n", (unsigned long long)client->turn, reason,
          (int)client->received, client->answer);
  exit(1);
}

// True once the answer is whole; one that is wrong ends the run.
static bool is_whole(struct client* client) {
  client->answer[client->received] = '\0';
  char* body = strstr(client->answer, "\r\n\r\n");
  if (body == NULL) return false;
  body += 4;
  const char* length = strcasestr(client->answer, "\r\ncontent-length: ");
  if (length == NULL || length > body) fail_answer(client, "no length");
  size_t head_size = (size_t)(body - client->answer);
  size_t body_size = strtoul(length + strlen("\r\ncontent-length: "), NULL, 10);
  if (client->received < head_size + body_size) return false;
  char expected[REQUEST_MAX];
  int size = snprintf(expected, sizeof expected, "hello /%llu", (unsigned long long)client->turn);
  if (strncmp(client->answer, "HTTP/1.1 200 ", 13) != 0) fail_answer(client, "status");
  if (client->received > head_size + body_size) fail_answer(client, "too long");
  if (body_size != (size_t)size || strcmp(body, expected) != 0) fail_answer(client, "body");
  return true;
}

static void read_answer(struct http* http, struct client* client) {
  size_t room = ANSWER_MAX - client->received;
  ssize_t count = recv(client->fd, client->answer + client->received, room, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) die("recv");
  if (count == 0) fail_answer(client, "end of the stream");
  client->received += (size_t)count;
  if (!is_whole(client)) return;
  uint64_t now = now_ns();
  window_record(&http->load->window, now - client->started, 1);
  http->busy--;
  if (http->load->window.phase == PHASE_DONE) return;
  if (http->pacer.interval > 0) {
    pacer_release(&http->pacer, (size_t)(client - http->clients));
  } else {
    ask(http, client, now);
  }
}

static void open_clients(struct http* http) {
  struct load* load = http->load;
  http->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (http->epoll < 0) die("epoll_create1");
  http->clients = must_calloc(load->connections, sizeof *http->clients);
  pacer_open(&http->pacer, load, 1);
  for (size_t i = 0; i < load->connections; i++) {
    struct client* client = &http->clients[i];
    client->fd = connect_socket(load, 0);
    if (client->fd < 0) die("connect");
    // Names of its own: an answer to another connection would be a wrong one.
    client->turn = i * 1000000000ull;
    must_register(http->epoll, EPOLL_CTL_ADD, client->fd, EPOLLIN, i);
  }
}

static void run_events(struct http* http) {
  struct epoll_event events[EVENTS_MAX];
  int count = wait_for_events(http->epoll, events, EVENTS_MAX, http->load, &http->pacer);
  for (int i = 0; i < count; i++) read_answer(http, &http->clients[events[i].data.u64]);
}

static void run_paced_starts(struct http* http) {
  size_t index;
  uint64_t due;
  uint64_t now = now_ns();
  while (pacer_take(&http->pacer, now, &index, &due)) ask(http, &http->clients[index], due);
}

int run_http(struct load* load) {
  static struct http http;
  http.load = load;
  open_clients(&http);
  window_open(&load->window);
  http.pacer.due = load->window.begin;
  for (size_t i = 0; i < load->connections; i++) {
    if (http.pacer.interval > 0) {
      pacer_release(&http.pacer, i);
    } else {
      ask(&http, &http.clients[i], now_ns());
    }
  }
  while (window_advance(&load->window, now_ns()) != PHASE_DONE) {
    run_paced_starts(&http);
    run_events(&http);
  }
  http.pacer.count = 0;
  while (http.busy > 0 && now_ns() < load->window.end + DRAIN_NS) run_events(&http);
  if (http.busy > 0) {
    fprintf(stderr, "%zu answers never came\n", http.busy);
    return 1;
  }
  window_print(&load->window, congestion_of(http.clients[0].fd));
  return 0;
}
