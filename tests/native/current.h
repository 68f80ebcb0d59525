// What each thread is replaying, which is printed before a sanitizer ends the process.
#pragma once

#include "calls.h"

namespace streamhmm {
namespace replay {

// Call before a call is made; `mutation` numbers a changed one.
void note_current(const Call& call, const std::string& isa, int64_t mutation = -1);

// Makes sanitizers print it.
void report_current_on_death();

}  // namespace replay
}  // namespace streamhmm
