#include "current.h"

#include <sanitizer/common_interface_defs.h>

#include <atomic>
#include <cstdio>

// After a fork the core starts threads in the child, which is meant.
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_options() {
  return "die_after_fork=0 halt_on_error=1";
}

namespace streamhmm {
namespace replay {
namespace {

struct Current {
  const Call* call = nullptr;
  std::string isa;
  int64_t mutation = -1;
};
thread_local Current current;
std::atomic<const Current*> latest{nullptr};  // for the core's own threads

void report() {
  const Current* now = current.call != nullptr ? &current : latest.load();
  if (now == nullptr) return;
  std::fprintf(stderr, "replay: this was %s in %s on %s", now->call->operation.c_str(), now->call->test.c_str(),
               now->isa.c_str());
  if (now->mutation >= 0) std::fprintf(stderr, ", changed call %lld", static_cast<long long>(now->mutation));
  std::fprintf(stderr, "\n");
}

}  // namespace

void note_current(const Call& call, const std::string& isa, int64_t mutation) {
  current = {&call, isa, mutation};
  latest = &current;
}

void report_current_on_death() { __sanitizer_set_death_callback(report); }

}  // namespace replay
}  // namespace streamhmm
