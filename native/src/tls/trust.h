// Whom a context trusts: authorities, and what they have revoked.
#pragma once

#include "tls/settings.h"

namespace sock::tls {

// Null when a setting is refused. Where the system's authorities are all there is, every context of
// the process has the same store: they are some 150, and take milliseconds to read.
StorePtr make_store(const Settings& settings, Refusal& refusal);

}  // namespace sock::tls
