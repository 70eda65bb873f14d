#include "net/file_sender.h"

#include <algorithm>
#include <cerrno>

#include "net/stream.h"
#include "sys/file_calls.h"
#include "sys/kernel_copy.h"
#include "sys/pipe.h"

namespace sock::net {

using reactor::Reactor;
using reactor::Source;

Status FileSender::adopt(sys::UniqueFd file) {
  Result<uint64_t> size = sys::file_size(file.get());
  if (!size.ok()) return size.error();
  size_ = size.value();
  file_ = std::make_shared<const sys::UniqueFd>(std::move(file));
  return Nothing{};
}

Status FileSender::open(int fd) {
  Result<sys::UniqueFd> copy = sys::duplicate_file(fd);
  if (!copy.ok()) return copy.error();
  return adopt(copy.take());
}

Status FileSender::open(const std::string& path) {
  Result<sys::UniqueFd> file = sys::open_file(path);
  if (!file.ok()) return file.error();
  return adopt(file.take());
}

void FileSender::open_later(const std::string& path) {
  loading_ = true;
  path_ = path;
  const size_t size = std::min<uint64_t>(left_, kWindow);
  at_hand_until_ = position_ + size;
  loader_.submit(Load{id_, path, nullptr, position_, size});
}

void FileSender::loaded(const Loaded& loaded) {
  // Unless a caller that could block did not wait for it.
  if (!loading_) return;
  loading_ = false;
  error_ = loaded.error;
  if (file_ != nullptr || error_.code != 0) return;
  file_ = loaded.file;
  Result<uint64_t> size = sys::file_size(file_->get());
  if (size.ok()) size_ = size.value();
}

sys::IoResult FileSender::send(Reactor& reactor, Source& source, bool wait, bool may_block,
                               size_t most) {
  file_fault_ = Syscall::kNone;
  if (loading_ && !may_block) return -EINPROGRESS;
  if (loading_ && file_ == nullptr) {
    const Status opened = open(path_);
    if (!opened.ok()) error_ = opened.error();
  }
  loading_ = false;
  if (error_.code != 0) return fault(-error_.code, error_.call);
  if (held_ > 0) return send_held(reactor, source, wait);
  if (left_ == 0) return 0;
  // What a filter makes of the bytes, only a copy can show to the kernel.
  if (source.filter != nullptr) way_ = Way::kCopy;
  size_t piece = next_piece(most);
  // A hole somewhere ahead is met when its own piece is due.
  if (!may_block && piece > kPieceMax && !is_at_hand(piece)) piece = kPieceMax;
  if (!may_block && !is_at_hand(piece)) {
    if (position_ >= at_hand_until_) {
      load(kWindow);
      return -EINPROGRESS;
    }
    piece = at_hand_until_ - position_;
  }
  return send_piece(reactor, source, piece, wait);
}

// 0 where the file seems to end, which only a read can tell: it may have grown, and some file
// systems do not know how long their files are.
size_t FileSender::next_piece(size_t most) {
  if (position_ >= size_) {
    Result<uint64_t> size = sys::file_size(file_->get());
    if (size.ok()) size_ = size.value();
  }
  // Never past the end: the kernel would hold back the last bytes, to join them with those that
  // it still expects.
  const uint64_t there = size_ > position_ ? size_ - position_ : 0;
  return static_cast<size_t>(std::min<uint64_t>({most, left_, there}));
}

bool FileSender::is_at_hand(size_t piece) {
  const uint64_t end = position_ + piece;
  if (end <= at_hand_until_) return true;
  const uint64_t from = std::max(position_, at_hand_until_);
  if (!sys::is_cached(file_->get(), from, end - from, probe_step_)) {
    probe_step_ = kProbeStep;
    return false;
  }
  probe_step_ = std::min(probe_step_ * 2, kPieceMax);
  at_hand_until_ = end;
  return true;
}

// What was loaded counts as being there, come what may: where the cache cannot be asked, or is too
// small, the loop waits for the disk rather than for ever.
void FileSender::load(size_t size) {
  loading_ = true;
  at_hand_until_ = position_ + size;
  loader_.submit(Load{id_, {}, file_, position_, size});
}

sys::IoResult FileSender::send_piece(Reactor& reactor, Source& source, size_t piece, bool wait) {
  if (way_ == Way::kSendFile && piece > 0) {
    const sys::IoResult sent = send_directly(reactor, source, piece, wait);
    if (!sys::is_refusal(sent)) return sent;
    way_ = Way::kSplice;
  }
  const sys::IoResult fetched = fetch(piece);
  return fetched > 0 ? send_held(reactor, source, wait) : fetched;
}

// A short answer can have several reasons, of which only a full socket is worth waiting for.
sys::IoResult FileSender::send_directly(Reactor& reactor, Source& source, size_t piece, bool wait) {
  size_t done = 0;
  sys::IoResult sent = 0;
  do {
    sent = sys::send_file(source.fd.get(), file_->get(), position_, piece - done);
    if (sent <= 0) break;
    advance(sent);
    done += static_cast<size_t>(sent);
  } while (done < piece);
  // The second, as note_sent() knows, is Fast Open's.
  const bool is_full = sent == -EAGAIN || sent == -EINPROGRESS;
  if (is_full) sent = note_sent(reactor, source, sent, piece, wait);
  // Bytes that are gone are told first; what stopped the rest is met again by the next call.
  if (done > 0) {
    return note_sent(reactor, source, static_cast<sys::IoResult>(done), 1, wait);
  }
  const bool is_of_file = sent == -EIO || sent == -ESTALE || sent == -EOVERFLOW;
  return is_of_file ? fault(sent, Syscall::kSendFile) : sent;
}

sys::IoResult FileSender::fetch(size_t piece) {
  if (way_ == Way::kSplice && piece > 0) {
    const sys::IoResult count = fetch_into_pipe(piece);
    if (count >= 0) return count;
    way_ = Way::kCopy;
  }
  return fetch_into_memory(piece);
}

// Negative where there is no pipe to be had, or it does not take from this file.
sys::IoResult FileSender::fetch_into_pipe(size_t piece) {
  if (!pipe_.first) {
    Result<sys::FdPair> pipe = sys::open_pipe();
    if (!pipe.ok()) return -pipe.error().code;
    pipe_ = pipe.take();
    sys::enlarge_pipe(pipe_.first.get(), kPieceMax);
  }
  const sys::IoResult count = sys::splice_file(file_->get(), position_, pipe_.second.get(), piece);
  if (count > 0) {
    held_ = static_cast<size_t>(count);
    in_pipe_ = true;
    advance(count);
  }
  return count;
}

sys::IoResult FileSender::fetch_into_memory(size_t piece) {
  if (block_ == nullptr) block_ = std::make_unique<Block>();
  const size_t room = std::min<uint64_t>(left_, block_->size());
  const size_t want = piece == 0 ? room : std::min(piece, room);
  const sys::IoResult count = sys::read_at(file_->get(), position_, block_->data(), want);
  if (count < 0) return fault(count, Syscall::kPread);
  start_ = 0;
  in_pipe_ = false;
  held_ = static_cast<size_t>(count);
  advance(count);
  return count;
}

sys::IoResult FileSender::send_held(Reactor& reactor, Source& source, bool wait) {
  sys::IoResult sent = 0;
  const bool is_filtered = source.filter != nullptr;
  if (is_filtered) {
    sent = net::send(reactor, source, block_->data() + start_, held_, wait);
  } else if (!in_pipe_) {
    sent = sys::send(source.fd.get(), block_->data() + start_, held_);
  } else {
    sent = sys::splice_out(pipe_.first.get(), source.fd.get(), held_);
    if (sys::is_refusal(sent)) {
      // What the pipe has is at its old place in the file, too.
      position_ -= held_;
      if (left_ != kToEnd) left_ += held_;
      pipe_ = {};
      way_ = Way::kCopy;
      const sys::IoResult fetched = fetch_into_memory(held_);
      return fetched > 0 ? send_held(reactor, source, wait) : fetched;
    }
  }
  if (sent > 0) {
    held_ -= static_cast<size_t>(sent);
    start_ += static_cast<size_t>(sent);
  }
  return is_filtered ? sent : note_sent(reactor, source, sent, 1, wait);
}

void FileSender::advance(sys::IoResult count) {
  position_ += static_cast<uint64_t>(count);
  if (left_ != kToEnd) left_ -= static_cast<uint64_t>(count);
}

sys::IoResult FileSender::fault(sys::IoResult result, Syscall call) {
  file_fault_ = call;
  return result;
}

}  // namespace sock::net
