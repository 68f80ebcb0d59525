// While one of these lives, this thread's sums take numbers too small for full precision as 0: processors handle them a
// hundred times slower than others. What that loses is within the bounds that DenseSumFinder checks.
#pragma once

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace streamhmm {

class FlushDenormals {
 public:
#if defined(__SSE__)
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushResults | kFlushOperands); }
  ~FlushDenormals() { _mm_setcsr(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  static constexpr unsigned kFlushResults = 0x8000, kFlushOperands = 0x0040;
  unsigned before_;
#endif
};

}  // namespace streamhmm
