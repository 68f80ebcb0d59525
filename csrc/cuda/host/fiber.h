// A thread of execution with a stack of its own that runs until it hands control back. Switching makes no system call.
#pragma once

#include <cstddef>

namespace streamhmm::host {

class Fiber {
 public:
  using Entry = void (*)(void*);

  Fiber(Entry entry, void* argument);
  ~Fiber();  // a fiber that has not ended is forgotten where it stands
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void resume();        // from outside: runs it until it pauses or its entry returns
  static void pause();  // from inside: back to who resumed it
  bool ended() const { return ended_; }

 private:
  friend void start_fiber();
  void leave(bool for_good);
  void arrive();

  Entry entry_;
  void* argument_;
  bool ended_ = false;
  char* stack_;
  void* inside_;   // its stack pointer while it is paused
  void* outside_;  // that of who resumed it
  Fiber* resumed_by_ = nullptr;
  // What AddressSanitizer keeps of either side's stack.
  void* fake_inside_ = nullptr;
  const void* outside_bottom_ = nullptr;
  size_t outside_size_ = 0;
};

}  // namespace streamhmm::host
