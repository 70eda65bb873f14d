#include <stddef.h>

#include "load.h"

const struct mode kModes[] = {{"echo", run_echo},
                              {"http", run_http},
                              {"connect", run_connect},
                              {"knock", run_knock},
                              {"file", run_file},
                              {"idle", run_idle},
                              {"udp-echo", run_udp_echo},
                              {"udp-send", run_udp_send},
                              {"udp-receive", run_udp_receive},
                              {NULL, NULL}};
