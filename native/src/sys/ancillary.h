// What systems disagree on about the data beside the data (cmsg(3)).
#pragma once

#include <cstddef>

#include "sys/peer_credentials.h"

namespace sock::sys {

// The flag of recvmsg(2) with which passed descriptors are close-on-exec from birth; 0 where they
// can only be made so afterwards.
int close_on_exec_flag();

// The size of stated credentials as control data, and their type there; 0 where a message cannot
// carry any.
size_t credentials_size();
int credentials_type();
void write_credentials(void* data, const Credentials& credentials);
Credentials read_credentials(const void* data);

}  // namespace sock::sys
