#include "execution.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber.h"

namespace streamhmm::host {
namespace {

constexpr unsigned kMostThreads = 1024;
constexpr int kBlocksAtOnce = 3;             // alive together in random order
constexpr int64_t kMostIdleRounds = 200000;  // in which threads only look at memory

enum class State { ready, spinning, at_block, at_grid, at_warp, ended };

const char* name_of(State state) {
  constexpr const char* kNames[] = {
      "ready", "spinning", "at a block's barrier", "at the grid's barrier", "in a warp operation", "ended"};
  return kNames[static_cast<int>(state)];
}

class Block;

struct Thread {
  ThreadPlace place;
  Block* block = nullptr;
  int index = 0;  // in the block
  State state = State::ready;
  Site site{"", 0};
  WarpOperation operation = WarpOperation::sync;
  unsigned mask = 0;
  int source = 0;
  uint64_t value = 0;   // what it brings
  uint64_t result = 0;  // what it gets
  std::unique_ptr<Fiber> fiber;
};

// Blocks that are alive together.
struct Group {
  Kernel kernel;
  void* arguments;
  std::vector<std::unique_ptr<Block>> blocks;
  std::string fault;
};

thread_local Group* group = nullptr;
thread_local Thread* self = nullptr;

class Block {
 public:
  Block(const Shape& shape, Dim3 index)
      : threads_(shape.block.x * shape.block.y * shape.block.z),
        shared_bytes_(shape.shared_bytes),
        shared_(static_cast<char*>(::operator new[](shape.shared_bytes, std::align_val_t{128}))) {
    std::memset(shared_, 0xFF, shape.shared_bytes);
    for (size_t i = 0; i < threads_.size(); ++i) {
      Thread& t = threads_[i];
      const unsigned flat = static_cast<unsigned>(i), plane = shape.block.x * shape.block.y;
      const Dim3 thread(flat % shape.block.x, flat / shape.block.x % shape.block.y, flat / plane);
      t.place = {thread, index, shape.block, shape.grid};
      t.block = this;
      t.index = static_cast<int>(i);
      t.fiber = std::make_unique<Fiber>(run_thread, &t);
    }
  }
  ~Block() { ::operator delete[](shared_, std::align_val_t{128}); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  std::vector<Thread>& threads() { return threads_; }
  char* shared() const { return shared_; }
  size_t shared_bytes() const { return shared_bytes_; }

  bool all(State state) const {
    return std::all_of(threads_.begin(), threads_.end(), [&](const Thread& t) { return t.state == state; });
  }

  // Frees the threads that wait at the block's barrier, if all of them do.
  bool pass_barrier() {
    if (!all(State::at_block)) return false;
    const Thread& first = threads_.front();
    uint64_t any = 0;
    for (const Thread& t : threads_) {
      if (!(t.site == first.site)) return false;
      any |= t.value;
    }
    free_all(any);
    return true;
  }

  void free_all(uint64_t result) {
    for (Thread& t : threads_) {
      t.state = State::ready;
      t.result = result;
    }
  }

  // Frees the lanes that the thread's warp operation names, if all of them wait for the same one.
  bool pass_warp(Thread& caller) {
    Thread* lanes = threads_.data() + caller.index / kWarp * kWarp;
    const int count = std::min<int>(kWarp, static_cast<int>(threads_.data() + threads_.size() - lanes));
    for (int lane = 0; lane < kWarp; ++lane) {
      if ((caller.mask >> lane & 1) == 0) continue;
      if (lane >= count) return false;
      const Thread& t = lanes[lane];
      if (t.state != State::at_warp || t.mask != caller.mask || t.operation != caller.operation ||
          !(t.site == caller.site)) {
        return false;
      }
    }
    answer(lanes, caller.mask, caller.operation);
    return true;
  }

 private:
  static void run_thread(void* argument) {
    static_cast<Thread*>(argument)->state = State::ready;
    group->kernel(group->arguments);
    static_cast<Thread*>(argument)->state = State::ended;
  }

  static void answer(Thread* lanes, unsigned mask, WarpOperation operation) {
    unsigned votes = 0;
    for (int lane = 0; lane < kWarp; ++lane) {
      if ((mask >> lane & 1) != 0 && lanes[lane].value != 0) votes |= 1u << lane;
    }
    for (int lane = 0; lane < kWarp; ++lane) {
      if ((mask >> lane & 1) == 0) continue;
      Thread& t = lanes[lane];
      t.result = operation == WarpOperation::shuffle ? lanes[t.source].value : votes;
      t.state = State::ready;
    }
  }

  std::vector<Thread> threads_;
  size_t shared_bytes_;
  char* shared_;
};

std::string where(const Thread& t) {
  const auto at = [](const Dim3& d) {
    return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")";
  };
  std::string text = "thread " + at(t.place.thread) + " of block " + at(t.place.block) + " is " + name_of(t.state);
  if (t.state != State::ended && t.site.line > 0) {
    text += " at " + std::string(t.site.file) + ":" + std::to_string(t.site.line);
  }
  return text;
}

// Ends the whole launch; from inside a thread.
[[noreturn]] void fault(const std::string& what) {
  group->fault = what + "; " + where(*self);
  while (true) Fiber::pause();
}

// One thread of each kind of waiting.
std::string who_waits(const std::vector<Thread*>& threads) {
  std::string text;
  std::vector<std::string> kinds;
  for (const Thread* t : threads) {
    const std::string kind = name_of(t->state) + std::string(t->site.file) + std::to_string(t->site.line);
    if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) continue;
    kinds.push_back(kind);
    text += "; " + where(*t);
  }
  return text;
}

bool is_waiting(const Thread& t) {
  return t.state == State::at_block || t.state == State::at_grid || t.state == State::at_warp;
}

bool pass_grid_barrier(Group& alive) {
  for (auto& block : alive.blocks) {
    if (!block->all(State::at_grid)) return false;
  }
  for (auto& block : alive.blocks) block->free_all(0);
  return true;
}

bool pass_barriers(Group& alive) {
  bool passed = pass_grid_barrier(alive);
  for (auto& block : alive.blocks) passed |= block->pass_barrier();
  return passed;
}

// Runs the blocks until all threads have ended.
void run_group(Group& alive, Order order, std::mt19937_64& random) {
  std::vector<Thread*> threads;
  for (auto& block : alive.blocks) {
    for (Thread& t : block->threads()) threads.push_back(&t);
  }
  if (order == Order::reverse) std::reverse(threads.begin(), threads.end());
  group = &alive;
  int64_t idle = 0;
  while (true) {
    if (order == Order::random) std::shuffle(threads.begin(), threads.end(), random);
    bool progress = false, spinning = false, waiting = false;
    for (Thread* t : threads) {
      if (t->state == State::ended || is_waiting(*t)) continue;
      self = t;
      t->fiber->resume();
      if (!alive.fault.empty()) throw std::runtime_error("CUDA kernel on the host: " + alive.fault);
      t->state == State::spinning ? spinning = true : progress = true;
    }
    progress |= pass_barriers(alive);
    for (const Thread* t : threads) waiting |= is_waiting(*t);
    if (progress) {
      idle = 0;
    } else if (!spinning && !waiting) {
      return;
    } else if (!spinning || ++idle > kMostIdleRounds) {
      throw std::runtime_error("CUDA kernel on the host: threads wait for each other in vain" + who_waits(threads));
    }
  }
}

void check(const Shape& shape) {
  const Card& card = settings().card;
  const auto refuse = [](const std::string& what) { throw std::runtime_error("CUDA launch on the host: " + what); };
  const uint64_t threads = uint64_t{shape.block.x} * shape.block.y * shape.block.z;
  if (threads < 1 || threads > kMostThreads) refuse(std::to_string(threads) + " threads in a block");
  if (shape.grid.x < 1 || shape.grid.y < 1 || shape.grid.z < 1) refuse("no blocks");
  if (shape.grid.y > 65535 || shape.grid.z > 65535) refuse("more than 65535 blocks along y or z");
  if (shape.shared_bytes > card.shared_bytes) {
    refuse(std::to_string(shape.shared_bytes) + " bytes of shared memory of " + std::to_string(card.shared_bytes));
  }
  const uint64_t blocks = uint64_t{shape.grid.x} * shape.grid.y * shape.grid.z;
  if (shape.cooperative && blocks > static_cast<uint64_t>(card.multiprocessors)) {
    refuse(std::to_string(blocks) + " cooperative blocks on " + std::to_string(card.multiprocessors) +
           " multiprocessors");
  }
}

// In the order of the turns.
std::vector<Dim3> block_indices(const Dim3& grid, Order order, std::mt19937_64& random) {
  std::vector<Dim3> indices;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) indices.emplace_back(x, y, z);
    }
  }
  if (order == Order::reverse) std::reverse(indices.begin(), indices.end());
  if (order == Order::random) std::shuffle(indices.begin(), indices.end(), random);
  return indices;
}

void pause_as(State state, Site site) {
  self->state = state;
  self->site = site;
  Fiber::pause();
}

}  // namespace

Settings& settings() {
  static Settings settings;
  return settings;
}

void run(const Shape& shape, Kernel kernel, void* arguments) {
  check(shape);
  const Order order = settings().order;
  std::mt19937_64 random(settings().seed);
  const std::vector<Dim3> indices = block_indices(shape.grid, order, random);
  const size_t at_once = shape.cooperative ? indices.size() : order == Order::random ? kBlocksAtOnce : 1;
  for (size_t first = 0; first < indices.size(); first += at_once) {
    Group alive{kernel, arguments, {}, {}};
    for (size_t i = first; i < std::min(first + at_once, indices.size()); ++i) {
      alive.blocks.push_back(std::make_unique<Block>(shape, indices[i]));
    }
    run_group(alive, order, random);
  }
}

const ThreadPlace& here() { return self->place; }
char* shared_memory() { return self->block->shared(); }
size_t shared_bytes() { return self->block->shared_bytes(); }

void wait_for_block(Site site) { wait_for_any_of_block(false, site); }

bool wait_for_any_of_block(bool predicate, Site site) {
  self->value = predicate ? 1 : 0;
  pause_as(State::at_block, site);
  return self->result != 0;
}

void wait_for_grid(Site site) { pause_as(State::at_grid, site); }

void let_others_run() { pause_as(State::spinning, {"", 0}); }

uint64_t exchange(WarpOperation operation, unsigned mask, uint64_t value, int source, Site site) {
  const int lane = self->index % kWarp;
  self->site = site;
  if ((mask >> lane & 1) == 0) fault("a lane is not in the mask of its own warp operation");
  if (operation == WarpOperation::shuffle && (mask >> source & 1) == 0) {
    fault("a shuffle reads from lane " + std::to_string(source) + ", which is not in its mask");
  }
  self->operation = operation;
  self->mask = mask;
  self->value = value;
  self->source = source;
  self->state = State::at_warp;
  if (!self->block->pass_warp(*self)) Fiber::pause();
  return self->result;
}

}  // namespace streamhmm::host
