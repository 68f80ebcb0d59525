// The instruction set that a kernel file is compiled for. setup.py compiles every kernel file once per set, with the
// set's flags and STREAMHMM_TARGET=avx512|avx2|baseline. What such a file defines lives in a namespace of the target's
// name, and it calls no inline library code: a copy shared with the rest of the module would run everywhere.
#pragma once

#ifndef STREAMHMM_TARGET
#error "compile kernel files with -DSTREAMHMM_TARGET=baseline (or avx2, avx512)"
#endif

#define STREAMHMM_KERNEL static inline __attribute__((always_inline))
