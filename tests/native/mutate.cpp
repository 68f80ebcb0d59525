#include "mutate.h"

#include <cstring>
#include <limits>

#include "../../csrc/cpu/isa.h"
#include "current.h"
#include "operations.h"

namespace streamhmm {
namespace replay {
namespace {

constexpr size_t kMostBytes = 4096;  // of a buffer: small calls find as much, in less time

int64_t below(int64_t limit, Random& random) { return static_cast<int64_t>(random() % static_cast<uint64_t>(limit)); }

template <class Whole>
Whole other_value(Whole value, Random& random) {
  using Limits = std::numeric_limits<Whole>;
  const Whole special[] = {0, 1, 2, 3, -1, 6, 7, 63, 64, 65, Limits::max(), Limits::min()};
  if (below(3, random) == 0) return special[below(std::size(special), random)];
  const auto step = static_cast<uint64_t>(below(9, random)) - 4;
  return static_cast<Whole>(static_cast<uint64_t>(value) + step);  // may wrap
}

template <class Real>
Real other_real(Real value, Random& random) {
  using Limits = std::numeric_limits<Real>;
  const Real special[] = {0,
                          -Real(0),
                          Limits::quiet_NaN(),
                          Limits::infinity(),
                          -Limits::infinity(),
                          Limits::max(),
                          -Limits::max(),
                          Limits::denorm_min(),
                          Real(1e30),
                          Real(-1e30),
                          200,
                          -200,
                          1000,
                          -1001};
  const int64_t kind = below(std::size(special) + 2, random);
  if (kind < static_cast<int64_t>(std::size(special))) return special[kind];
  return kind % 2 == 0 ? -value : value * 1000;
}

template <class T, class Change>
void change_some(Contents& contents, Random& random, Change other) {
  if (contents.count == 0) return;
  for (int64_t times = 1 + below(4, random); times > 0; --times) {
    T value;
    char* place = contents.bytes.data() + below(contents.count, random) * sizeof(T);
    std::memcpy(&value, place, sizeof(T));
    value = other(value, random);
    std::memcpy(place, &value, sizeof(T));
  }
}

void change(Contents& contents, Random& random) {
  if (contents.type == "int32") change_some<int32_t>(contents, random, other_value<int32_t>);
  if (contents.type == "int64") change_some<int64_t>(contents, random, other_value<int64_t>);
  if (contents.type == "float32") change_some<float>(contents, random, other_real<float>);
  if (contents.type == "float64") change_some<double>(contents, random, other_real<double>);
}

// Shortens a buffer and the number that tells its size.
void truncate(Call& call, const std::string& name, Random& random) {
  Contents& contents = call.buffers.at(name);
  if (contents.count == 0) return;
  const int64_t size = static_cast<int64_t>(contents.bytes.size()) / contents.count;
  contents.count = below(contents.count, random);
  contents.bytes.resize(contents.count * size);
  call.integers.at(name + "_size") = contents.count;
}

bool is_small(const Call& call) {
  for (const auto& [name, contents] : call.buffers) {
    if (contents.bytes.size() > kMostBytes) return false;
  }
  return call.buffers.count("structure") != 0;
}

}  // namespace

Call mutated(const Call& call, Random& random) {
  Call other = call;
  for (const char* name : {"structure", "weights"}) {
    if (call.buffers.count(name) != 0 && below(16, random) == 0) truncate(other, name, random);
  }
  for (const auto& [name, often] :
       std::map<std::string, int64_t>{{"structure", 2}, {"weights", 4}, {"scores", 4}, {"lengths", 4}}) {
    if (other.buffers.count(name) != 0 && below(often, random) == 0) change(other.buffers.at(name), random);
  }
  other.integers["frames"] = below(call.integers.at("frames") + 1, random);
  other.integers["memory_budget"] = below(2, random) == 0 ? 0 : below(1 << 14, random);
  other.integers["threads"] = 1 + below(3, random);
  return other;
}

int64_t run_mutations(const std::vector<Call>& calls, int64_t count, uint64_t seed) {
  Random random(seed);
  std::vector<const Call*> small;
  for (const Call& call : calls) {
    if (is_small(call)) small.push_back(&call);
  }
  if (small.empty()) throw std::runtime_error("no call is small enough to be changed");
  const std::vector<std::string> isas = available_isas();
  int64_t accepted = 0;
  for (int64_t i = 0; i < count; ++i) {
    const Call call = mutated(*small[below(static_cast<int64_t>(small.size()), random)], random);
    const std::string& isa = isas[below(static_cast<int64_t>(isas.size()), random)];
    select_isa(isa);
    note_current(call, isa, i);
    try {
      accepted += operation_named(call.operation).run(Arguments(call));
    } catch (const std::invalid_argument&) {
    }
  }
  return accepted;
}

}  // namespace replay
}  // namespace streamhmm
