// Calls of the compiled core as tests/native/record.py wrote them, and the arguments to make them again.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace streamhmm {
namespace replay {

struct Contents {
  std::string type;  // as torch names it: float32, int64, …
  int64_t count = 0;
  std::vector<char> bytes;
};

struct Call {
  std::string operation;
  std::string test;
  std::map<std::string, int64_t> integers;
  std::map<std::string, double> reals;
  std::map<std::string, Contents> buffers;  // before the call
  std::map<std::string, Contents> written;  // after it, where something changed
  bool raised = false;
};

// Throws std::runtime_error for a file that is not what record.py writes.
std::vector<Call> read_calls(const std::string& path);

// The type that record.py writes for T; "" for void and char, which may be anything.
template <class T>
std::string type_name() {
  if constexpr (std::is_void_v<T> || std::is_same_v<T, char>) {
    return "";
  } else {
    const std::string kind = std::is_same_v<T, bool> ? "bool" : std::is_floating_point_v<T> ? "float" : "int";
    const std::string sign = std::is_unsigned_v<T> && kind == "int" ? "u" : "";
    return kind == "bool" ? kind : sign + kind + std::to_string(8 * sizeof(T));
  }
}

// One call's buffers, each in a block of its own that ends where the buffer ends, and aligned to its elements only, so
// that a sanitizer sees every access beside it.
class Arguments {
 public:
  explicit Arguments(const Call& call) : integers(call.integers), reals(call.reals) {
    for (const auto& [name, contents] : call.buffers) blocks_.emplace(name, Block(contents));
  }

  // Null where the call had no such buffer.
  template <class T>
  T* buffer(const std::string& name) const {
    const auto found = blocks_.find(name);
    if (found == blocks_.end()) return nullptr;
    const std::string wanted = type_name<std::remove_const_t<T>>();
    if (!wanted.empty() && found->second.type != wanted) {
      throw std::runtime_error("buffer " + name + " holds " + found->second.type + ", not " + wanted);
    }
    return reinterpret_cast<T*>(found->second.data());
  }
  int64_t integer(const std::string& name) const { return integers.at(name); }
  double real(const std::string& name) const { return reals.at(name); }

  std::map<std::string, int64_t> integers;
  std::map<std::string, double> reals;

 private:
  struct Block {
    explicit Block(const Contents& contents);
    char* data() const { return memory.get() + offset; }

    std::string type;
    int64_t offset;
    std::unique_ptr<char, void (*)(void*)> memory;
  };

  std::map<std::string, Block> blocks_;
};

}  // namespace replay
}  // namespace streamhmm
