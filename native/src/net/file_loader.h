// Opens files, and reads them into the kernel's cache, on threads of its own: a disk that takes its
// time must not hold up the event loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/unique_fd.h"

namespace sock::net {

// Shared with the threads, so that the descriptor is closed when the last of them is done.
using SharedFile = std::shared_ptr<const sys::UniqueFd>;

struct Load {
  uint32_t id = 0;
  std::string path;  // opened first, unless there is a file already
  SharedFile file;
  uint64_t offset = 0;
  size_t size = 0;  // to read from there on
};

struct Loaded {
  uint32_t id = 0;
  Error error;  // of the opening; what goes wrong with reading shows where it is sent
  SharedFile file;
};

// All methods are for one thread, the owner's.
class FileLoader {
 public:
  static constexpr unsigned kThreadsMax = 4;
  static constexpr unsigned kIdleMs = 5000;  // a thread with nothing to do for so long ends

  // `notify` is called on any thread when take() has something new, and never once the destructor
  // has returned.
  FileLoader(void (*notify)(void*), void* notify_argument);
  // Does not wait: loads under way go on, and nobody hears of them.
  ~FileLoader();
  FileLoader(const FileLoader&) = delete;
  FileLoader& operator=(const FileLoader&) = delete;

  void submit(Load load);
  std::vector<Loaded> take();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sock::net
