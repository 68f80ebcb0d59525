#include "concurrent.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "compare.h"

namespace streamhmm {
namespace replay {
namespace {

constexpr size_t kCallers = 3;
constexpr size_t kForks = 4;
constexpr size_t kCallsAChild = 50;
constexpr int64_t kThreadsEach = 3;  // one caller has the pool, the others find it taken

// A child that makes some of the calls, with a pool of its own; whether they pass.
bool passes_after_fork(const std::vector<Call>& calls, size_t first, const std::string& isa) {
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    bool passed = true;
    for (size_t i = 0; i < kCallsAChild && passed; ++i) {
      passed = passes(calls[(first + i) % calls.size()], kThreadsEach, isa);
    }
    _exit(passed ? 0 : 1);
  }
  int status = 0;
  const bool ended = waitpid(child, &status, 0) == child && WIFEXITED(status);
  if (ended && WEXITSTATUS(status) == 0) return true;
  std::fprintf(stderr, "%s: a forked child failed, status %d\n", isa.c_str(), status);
  return false;
}

}  // namespace

bool pass_from_threads(const std::vector<Call>& calls, const std::string& isa) {
  std::atomic<bool> passed{true};
  std::atomic<size_t> next{0};
  std::vector<std::thread> callers;
  for (size_t caller = 0; caller < kCallers; ++caller) {
    // they take calls from different places, so that all kinds meet
    callers.emplace_back([&, first = calls.size() * caller / kCallers] {
      for (size_t i = next++; i < calls.size() && passed; i = next++) {
        if (!passes(calls[(first + i) % calls.size()], kThreadsEach, isa)) passed = false;
      }
    });
  }
  for (size_t fork = 0; fork < kForks; ++fork) {
    if (!passes_after_fork(calls, calls.size() * fork / kForks, isa)) passed = false;
  }
  for (std::thread& caller : callers) caller.join();
  return passed;
}

}  // namespace replay
}  // namespace streamhmm
