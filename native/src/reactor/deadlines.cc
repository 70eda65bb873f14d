#include "reactor/deadlines.h"

#include <algorithm>

namespace sock::reactor {

void Deadlines::set(uint32_t id, double at_ms) {
  if (id >= place_of_id_.size()) {
    place_of_id_.resize(std::max<size_t>(size_t{id} + 1, place_of_id_.size() * 2), kAbsent);
  }
  const Node node{at_ms, id};
  const uint32_t index = place_of_id_[id];
  if (index == kAbsent) {
    heap_.push_back(node);
    sift_up(heap_.size() - 1, node);
  } else if (at_ms < heap_[index].at_ms) {
    sift_up(index, node);
  } else {
    sift_down(index, node);
  }
}

void Deadlines::remove(uint32_t id) {
  if (id < place_of_id_.size() && place_of_id_[id] != kAbsent) remove_at(place_of_id_[id]);
}

bool Deadlines::take_due(double now_ms, uint32_t& id) {
  if (heap_.empty() || heap_.front().at_ms > now_ms) return false;
  id = heap_.front().id;
  remove_at(0);
  return true;
}

void Deadlines::place(size_t index, Node node) {
  heap_[index] = node;
  place_of_id_[node.id] = static_cast<uint32_t>(index);
}

void Deadlines::sift_up(size_t index, Node node) {
  while (index > 0) {
    const size_t parent = (index - 1) / 2;
    if (heap_[parent].at_ms <= node.at_ms) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, node);
}

void Deadlines::sift_down(size_t index, Node node) {
  for (;;) {
    size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].at_ms < heap_[child].at_ms) child++;
    if (node.at_ms <= heap_[child].at_ms) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, node);
}

void Deadlines::remove_at(size_t index) {
  place_of_id_[heap_[index].id] = kAbsent;
  const Node last = heap_.back();
  heap_.pop_back();
  if (index == heap_.size()) return;
  if (index > 0 && last.at_ms < heap_[(index - 1) / 2].at_ms) {
    sift_up(index, last);
  } else {
    sift_down(index, last);
  }
}

}  // namespace sock::reactor
