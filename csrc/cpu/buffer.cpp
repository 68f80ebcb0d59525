#include "buffer.h"

#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace streamhmm {
namespace {

constexpr size_t kLine = 64;
constexpr size_t kHugePage = size_t{1} << 21;
constexpr size_t kSmallest = size_t{1} << 18;  // below this malloc keeps pages itself
constexpr size_t kMostKept = size_t{1} << 25;

// Each block starts with a line that holds its size.
struct Header {
  size_t bytes;
};

// Never waits: a mutex that another thread held at a fork stays locked in the child, which then keeps nothing.
class Store {
 public:
  Store() { blocks_.reserve(kMostKept / kSmallest); }

  // A kept block of at least `bytes` and at most twice that, or null.
  Header* find(size_t bytes) {
    std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return nullptr;
    for (Header*& block : blocks_) {
      if (block->bytes < bytes || block->bytes / 2 > bytes) continue;
      Header* found = block;
      block = blocks_.back();
      blocks_.pop_back();
      kept_ -= found->bytes;
      return found;
    }
    return nullptr;
  }

  bool keep(Header* block) {
    std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock() || block->bytes < kSmallest || kept_ + block->bytes > kMostKept) return false;
    blocks_.push_back(block);
    kept_ += block->bytes;
    return true;
  }

 private:
  std::mutex mutex_;
  std::vector<Header*> blocks_;
  size_t kept_ = 0;
};

// Never destroyed: threads may still give blocks back while the process ends.
Store& store() {
  static Store* instance = new Store;
  return *instance;
}

Header* allocate(size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)  // to the byte, so that an access behind the end shows
  void* exact = nullptr;
  if (posix_memalign(&exact, kLine, bytes) != 0) throw std::bad_alloc();
  static_cast<Header*>(exact)->bytes = 0;  // never kept
  return static_cast<Header*>(exact);
#endif
  const size_t unit = bytes >= 2 * kHugePage ? kHugePage : kLine;
  const size_t rounded = (bytes + unit - 1) / unit * unit;
  auto* block = static_cast<Header*>(std::aligned_alloc(unit, rounded));
  if (block == nullptr) throw std::bad_alloc();
#if defined(__linux__)
  if (unit == kHugePage) madvise(block, rounded, MADV_HUGEPAGE);
#endif
  block->bytes = rounded;
  return block;
}

}  // namespace

void* take_block(size_t bytes) {
  bytes += kLine;
  Header* block = bytes >= kSmallest ? store().find(bytes) : nullptr;
  if (block == nullptr) block = allocate(bytes);
  return reinterpret_cast<char*>(block) + kLine;
}

void give_back_block(void* memory) noexcept {
  auto* block = reinterpret_cast<Header*>(static_cast<char*>(memory) - kLine);
  if (block->bytes < kSmallest || !store().keep(block)) std::free(block);
}

}  // namespace streamhmm
