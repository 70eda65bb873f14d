// HTTP: `connections` stay open; each asks for a page of its own name and waits for the answer,
// which must be whole (by its Content-Length) and say that name.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop.h"

#define REQUEST_MAX 128
#define ANSWER_MAX 4096

struct client {
  int fd;
  uint64_t turn;
  uint64_t started;
  size_t received;
  char answer[ANSWER_MAX + 1];
};

struct http {
  struct loop loop;
  struct client* clients;
};

static bool ask(void* owner, size_t slot, uint64_t started) {
  struct client* client = &((struct http*)owner)->clients[slot];
  char request[REQUEST_MAX];
  int size = snprintf(request, sizeof request, "GET /%llu HTTP/1.1\r\nHost: bench\r\n\r\n",
                      (unsigned long long)++client->turn);
  client->received = 0;
  client->started = started;
  // A request is far smaller than what the kernel takes of an idle connection.
  if (send(client->fd, request, (size_t)size, MSG_NOSIGNAL) != size) die("send");
  return true;
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

static void read_answer(void* owner, size_t slot, uint32_t events) {
  struct http* http = owner;
  struct client* client = &http->clients[slot];
  (void)events;
  size_t room = ANSWER_MAX - client->received;
  ssize_t count = recv(client->fd, client->answer + client->received, room, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) die("recv");
  if (count == 0) fail_answer(client, "end of the stream");
  client->received += (size_t)count;
  if (!is_whole(client)) return;
  uint64_t now = now_ns();
  window_record(&http->loop.load->window, now - client->started, 1);
  loop_finish(&http->loop, slot, now);
}

static void open_clients(struct http* http) {
  struct load* load = http->loop.load;
  http->clients = must_calloc(load->connections, sizeof *http->clients);
  loop_open(&http->loop, 1);
  for (size_t i = 0; i < load->connections; i++) {
    struct client* client = &http->clients[i];
    client->fd = connect_socket(load, 0);
    if (client->fd < 0) die("connect");
    // Names of its own: an answer to another connection would be a wrong one.
    client->turn = i * 1000000000ull;
    loop_watch(&http->loop, EPOLL_CTL_ADD, client->fd, EPOLLIN, i);
  }
}

int run_http(struct load* load) {
  static struct http http;
  http.loop = (struct loop){.load = load, .owner = &http, .start = ask, .react = read_answer};
  open_clients(&http);
  loop_run(&http.loop);
  if (http.loop.busy > 0) {
    fprintf(stderr, "%zu answers never came\n", http.loop.busy);
    return 1;
  }
  window_print(&load->window, congestion_of(http.clients[0].fd));
  return 0;
}
