#include "isa.h"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

namespace streamhmm {

namespace baseline {
void fill_table(Kernels& table);
}
#if defined(__x86_64__)
namespace avx2 {
void fill_table(Kernels& table);
}
namespace avx512 {
void fill_table(Kernels& table);
}
#endif

namespace {

std::vector<Kernels> build_tables() {
  std::vector<Kernels> tables;
  const auto add = [&tables](void (*fill)(Kernels&)) { fill(tables.emplace_back()); };
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    add(avx512::fill_table);
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) add(avx2::fill_table);
#endif
  add(baseline::fill_table);
  return tables;
}

const std::vector<Kernels>& tables() {
  static const std::vector<Kernels> built = build_tables();
  return built;
}

const Kernels* find(const std::string& name) {
  std::string known;
  for (const Kernels& table : tables()) {
    if (name == table.name) return &table;
    known += (known.empty() ? "" : ", ") + std::string(table.name);
  }
  throw std::invalid_argument("instruction set must be one of " + known + ", got '" + name + "'");
}

std::atomic<const Kernels*>& chosen() {
  static std::atomic<const Kernels*> table = [] {
    const char* wanted = std::getenv("STREAMHMM_ISA");
    return wanted != nullptr && *wanted != '\0' ? find(wanted) : &tables().front();
  }();
  return table;
}

}  // namespace

const Kernels& kernels() { return *chosen(); }

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Kernels& table : tables()) names.emplace_back(table.name);
  return names;
}

std::string select_isa(const std::string& name) { return chosen().exchange(find(name))->name; }

}  // namespace streamhmm
