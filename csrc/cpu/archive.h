// The state of an object as bytes and back: transfer(archive) names its parts once, for both ways.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace streamhmm {

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

  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Throws std::invalid_argument where the bytes are not such a state.
class Loader {
 public:
  explicit Loader(const std::string& bytes) : bytes_(bytes) {}

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
    require(size <= static_cast<int64_t>(bytes_.size()) - done_);
    if (size > 0) std::memcpy(values, bytes_.data() + done_, size);
    done_ += size;
  }
  template <class T>
  void numbers(std::vector<T>& values) {
    int64_t count = 0;
    number(count);
    require(count >= 0 && count <= (static_cast<int64_t>(bytes_.size()) - done_) / static_cast<int64_t>(sizeof(T)));
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
  void finish() const { require(done_ == static_cast<int64_t>(bytes_.size())); }

 private:
  const std::string& bytes_;
  int64_t done_ = 0;
};

}  // namespace streamhmm
