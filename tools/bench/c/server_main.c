#include "server.h"

const struct workload* const kWorkloads[] = {&kEcho,    &kPipeline,    &kIdle,       &kConnect,
                                             &kFlood,   &kSendfile,    &kRelay,      &kUdpEcho,
                                             &kUdpSend, &kUdpSendEach, &kUdpReceive, NULL};

int main(int argc, char** argv) {
  return run_server(argc, argv);
}
