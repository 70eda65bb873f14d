// The functions that JavaScript calls, by subject. Each install_* adds its own to the object.
#pragma once

#include <napi.h>

namespace sock::binding {

class Context;

class Installer {
 public:
  Installer(napi_env env, napi_value target, Context* context)
      : env_(env), target_(target), context_(context) {}

  void add(const char* name, napi_callback callback) {
    napi_value function = nullptr;
    napi_create_function(env_, name, NAPI_AUTO_LENGTH, callback, context_, &function);
    napi_set_named_property(env_, target_, name, function);
  }

 private:
  napi_env env_;
  napi_value target_;
  Context* context_;
};

void install_loop(Installer& installer);
void install_socket(Installer& installer);
void install_stream(Installer& installer);
void install_vector(Installer& installer);
void install_message(Installer& installer);
void install_listener(Installer& installer);
void install_counters(Installer& installer);
void install_datagram(Installer& installer);
void install_file(Installer& installer);
void install_relay(Installer& installer);
void install_dns(Installer& installer);
void install_poll(Installer& installer);
void install_notifier(Installer& installer);
void install_descriptor(Installer& installer);
void install_rings(Installer& installer);
void install_tls(Installer& installer);

}  // namespace sock::binding
