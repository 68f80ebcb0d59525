// Buffer<T>: an uninitialised, cache-line aligned array.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace streamhmm {

// Memory from a small store of blocks that earlier calls gave back: a system hands out fresh pages only after clearing
// them, which takes as long as decoding into them. Throws std::bad_alloc.
void* take_block(size_t bytes);
void give_back_block(void* block) noexcept;

template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t count) : size_(count), data_(static_cast<T*>(take_block(count * sizeof(T)))) {}
  Buffer(int64_t count, T value) : Buffer(count) {
    for (int64_t i = 0; i < count; ++i) data_.get()[i] = value;
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  int64_t size() const { return size_; }
  T& operator[](int64_t i) { return data_.get()[i]; }
  const T& operator[](int64_t i) const { return data_.get()[i]; }

 private:
  struct GiveBack {
    void operator()(T* block) const { give_back_block(block); }
  };

  int64_t size_ = 0;
  std::unique_ptr<T, GiveBack> data_;
};

}  // namespace streamhmm
