// Buffer<T>: an uninitialised, cache-line aligned array. Large ones ask for huge pages: touching 180 MB of
// back-pointers page by page costs as much as a tenth of the decoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace streamhmm {

template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t count) : size_(count), data_(allocate(count)) {}
  Buffer(int64_t count, T value) : Buffer(count) {
    for (int64_t i = 0; i < count; ++i) data_.get()[i] = value;
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  int64_t size() const { return size_; }
  T& operator[](int64_t i) { return data_.get()[i]; }
  const T& operator[](int64_t i) const { return data_.get()[i]; }

 private:
  static constexpr size_t kLine = 64;
  static constexpr size_t kHugePage = size_t{1} << 21;

  struct Free {
    void operator()(T* pointer) const { std::free(pointer); }
  };

  static T* allocate(int64_t count) {
    const size_t bytes = static_cast<size_t>(count) * sizeof(T);
    const size_t unit = bytes >= 2 * kHugePage ? kHugePage : kLine;
    void* memory = std::aligned_alloc(unit, (bytes / unit + 1) * unit);
    if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__)
    if (unit == kHugePage) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    return static_cast<T*>(memory);
  }

  int64_t size_ = 0;
  std::unique_ptr<T, Free> data_;
};

}  // namespace streamhmm
