#include "compare.h"

#include <cmath>
#include <cstdio>
#include <cstring>

#include "current.h"
#include "operations.h"

namespace streamhmm {
namespace replay {
namespace {

template <class Real>
bool close(const char* given, const Contents& expected, double tolerance) {
  for (int64_t i = 0; i < expected.count; ++i) {
    Real one, other;
    std::memcpy(&one, given + i * sizeof(Real), sizeof(Real));
    std::memcpy(&other, expected.bytes.data() + i * sizeof(Real), sizeof(Real));
    if (one == other || (std::isnan(one) && std::isnan(other))) continue;
    if (!(std::fabs(double{one} - double{other}) <= tolerance * (1 + std::fabs(double{other})))) return false;
  }
  return true;
}

bool equal(const char* given, const Contents& expected, double tolerance) {
  if (tolerance > 0 && expected.type == "float32") return close<float>(given, expected, tolerance);
  if (tolerance > 0 && expected.type == "float64") return close<double>(given, expected, tolerance);
  return expected.count == 0 || std::memcmp(given, expected.bytes.data(), expected.bytes.size()) == 0;
}

bool is_single(const Call& call) {
  for (const auto& [name, contents] : call.buffers) {
    if (contents.type == "float32") return true;
  }
  return false;
}

// What is wrong with a call's results, or nothing.
std::string difference(const Call& call, int64_t threads) {
  const Operation& operation = operation_named(call.operation);
  Arguments arguments(call);
  if (threads > 0 && arguments.integers.count("threads") != 0) arguments.integers["threads"] = threads;
  try {
    if (!operation.run(arguments)) return call.raised ? "" : "found invalid scores";
  } catch (const std::exception& error) {
    return call.raised ? "" : std::string("raised ") + error.what();
  }
  if (call.raised) return "raised nothing";
  const double tolerance = is_single(call) ? operation.single : operation.other;
  for (const auto& [name, before] : call.buffers) {
    const auto written = call.written.find(name);
    const Contents& expected = written == call.written.end() ? before : written->second;
    if (!equal(arguments.buffer<const char>(name), expected, tolerance)) return "other " + name;
  }
  return "";
}

}  // namespace

bool passes(const Call& call, int64_t threads, const std::string& isa) {
  note_current(call, isa);
  const std::string wrong = difference(call, threads);
  if (wrong.empty()) return true;
  std::fprintf(stderr, "%s: %s in %s: %s\n", isa.c_str(), call.operation.c_str(), call.test.c_str(), wrong.c_str());
  return false;
}

bool all_pass(const std::vector<Call>& calls, int64_t threads, const std::string& isa) {
  for (const Call& call : calls) {
    if (!passes(call, threads, isa)) return false;
  }
  return true;
}

}  // namespace replay
}  // namespace streamhmm
