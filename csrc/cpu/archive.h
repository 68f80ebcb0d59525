// The state of an object as bytes and back: transfer(archive) names its parts once, for both ways.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace streamhmm {

// FNV-1a: tells damaged bytes.
inline uint64_t checksum(const char* bytes, size_t count) {
  uint64_t sum = 14695981039346656037u;
  for (size_t i = 0; i < count; ++i) sum = (sum ^ static_cast<unsigned char>(bytes[i])) * 1099511628211u;
  return sum;
}

class Saver {
 public:
  static constexpr bool loads() { return false; }
  void require(bool) {}

  template <class T>
  void number(const T& value) {
    cells(&value, 1);
  }
  template <class T>
  void cells(const T* values, int64_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(values), count * sizeof(T));
  }
  template <class T>
  void numbers(const std::vector<T>& values) {
    number(static_cast<int64_t>(values.size()));
    cells(values.data(), static_cast<int64_t>(values.size()));
  }
  void indices(const std::vector<int32_t>& values, int32_t) { numbers(values); }

  std::string take() {
    number(checksum(bytes_.data(), bytes_.size()));
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
};

// Throws std::invalid_argument where the bytes are not such a state.
class Loader {
 public:
  explicit Loader(const std::string& bytes) : bytes_(bytes), size_(static_cast<int64_t>(bytes.size()) - kSumBytes) {
    require(size_ >= 0);
    uint64_t sum = 0;
    std::memcpy(&sum, bytes.data() + size_, kSumBytes);
    require(sum == checksum(bytes.data(), size_));
  }

  static constexpr bool loads() { return true; }
  static void require(bool holds) {
    if (!holds) throw std::invalid_argument("state must be what save gave for the same graph");
  }

  template <class T>
  void number(T& value) {
    cells(&value, 1);
  }
  template <class T>
  void cells(T* values, int64_t count) {
    const auto size = count * static_cast<int64_t>(sizeof(T));
    require(size <= size_ - done_);
    if (size > 0) std::memcpy(values, bytes_.data() + done_, size);
    done_ += size;
  }
  template <class T>
  void numbers(std::vector<T>& values) {
    int64_t count = 0;
    number(count);
    require(count >= 0 && count <= (size_ - done_) / static_cast<int64_t>(sizeof(T)));
    values.resize(count);
    cells(values.data(), count);
  }
  // Ascending, below `end`.
  void indices(std::vector<int32_t>& values, int32_t end) {
    numbers(values);
    int32_t before = -1;
    for (const int32_t value : values) {
      require(value > before && value < end);
      before = value;
    }
  }
  void finish() const { require(done_ == size_); }

 private:
  static constexpr int64_t kSumBytes = sizeof(uint64_t);

  const std::string& bytes_;
  int64_t size_;
  int64_t done_ = 0;
};

}  // namespace streamhmm
