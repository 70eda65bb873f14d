// The one heap of deadlines, for operation timeouts and timers alike: add, move, remove and take
// the earliest, each in O(log n). Ids are small dense numbers chosen by the caller; every id has at
// most one deadline, and its place in the heap is kept, so that removal is real.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace sock::reactor {

class Deadlines {
 public:
  static constexpr double kNone = std::numeric_limits<double>::infinity();

  // Adds the id, or moves it to the new time.
  void set(uint32_t id, double at_ms);
  void remove(uint32_t id);
  // The earliest time, kNone when empty.
  double earliest_ms() const { return heap_.empty() ? kNone : heap_.front().at_ms; }
  // Takes the earliest id that is due, never one before its time.
  bool take_due(double now_ms, uint32_t& id);
  size_t size() const { return heap_.size(); }

 private:
  struct Node {
    double at_ms;
    uint32_t id;
  };
  static constexpr uint32_t kAbsent = UINT32_MAX;

  void place(size_t index, Node node);
  void sift_up(size_t index, Node node);
  void sift_down(size_t index, Node node);
  void remove_at(size_t index);

  std::vector<Node> heap_;
  std::vector<uint32_t> place_of_id_;
};

}  // namespace sock::reactor
