// The C loop over TLS, as a module that node loads: OpenSSL is the one inside the running node, so
// that a ratio compares what is around it. Loading it serves until stdin ends; the arguments come
// in the environment, one a line. It calls nothing of Node, so the headers of Node are not needed.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

#define ARGUMENTS_MAX 32

const struct workload* const kWorkloads[] = {&kTlsEcho, &kTlsIdle, &kTlsConnect, &kTlsBulk, NULL};

// Node-API's entry point of a module; what comes and goes are an environment and its exports.
__attribute__((visibility("default"))) void* napi_register_module_v1(void* environment,
                                                                     void* exports) {
  (void)environment;
  (void)exports;
  char program[] = "server";
  char* arguments[ARGUMENTS_MAX + 1] = {program};
  int count = 1;
  const char* given = getenv("SOCK_BENCH_ARGUMENTS");
  char* text = given == NULL ? NULL : strdup(given);
  for (char* line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    if (count == ARGUMENTS_MAX) die_usage("too many arguments");
    arguments[count++] = line;
  }
  int status = run_server(count, arguments);
  fflush(stdout);
  _exit(status);
}
