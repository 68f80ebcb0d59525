// CUDA kernels on the CPU, for machines without a GPU: each CUDA thread is a fiber, and runs until it has to wait for
// others. Blocks run one after the other, those of a cooperative launch alive together. What a GPU leaves undefined
// is an error here, thrown by the launch: threads that wait for each other at different barriers, lanes that a warp
// operation names and that do not take part, more shared memory than there is. Shared memory is filled with NaN before
// each block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace streamhmm::host {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  Dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

constexpr int kWarp = 32;

// In which order the threads of a block, and blocks, get their turns. With `random`, several blocks are alive at once.
enum class Order { forward, reverse, random };

// The card that the host pretends to be.
struct Card {
  size_t shared_bytes = 227 << 10;  // that a block may ask for
  int multiprocessors = 4;
};

struct Settings {
  Order order = Order::forward;
  uint64_t seed = 0;
  Card card;
};
Settings& settings();

struct Shape {
  Dim3 grid, block;
  size_t shared_bytes;
  bool cooperative;
};

using Kernel = void (*)(void* arguments);

// Throws std::runtime_error where the kernel does what a GPU leaves undefined, or asks for what the card has not.
void run(const Shape& shape, Kernel kernel, void* arguments);

// The place in a kernel that waits.
struct Site {
  const char* file;
  int line;
  friend bool operator==(const Site& a, const Site& b) { return a.line == b.line && std::strcmp(a.file, b.file) == 0; }
};

// What a kernel asks of the thread that it runs in.
struct ThreadPlace {
  Dim3 thread, block, block_size, grid_size;
};
const ThreadPlace& here();
char* shared_memory();
size_t shared_bytes();

void wait_for_block(Site site);
bool wait_for_any_of_block(bool predicate, Site site);
void wait_for_grid(Site site);
void let_others_run();  // in a loop that waits for memory to change

enum class WarpOperation { sync, shuffle, ballot };

// Waits for all lanes of the mask. A shuffle gives the value of lane `source`, a ballot the mask of the values above 0.
uint64_t exchange(WarpOperation operation, unsigned mask, uint64_t value, int source, Site site);

}  // namespace streamhmm::host
