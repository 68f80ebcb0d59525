// Functions that CUDA kernels call as well.
#pragma once

#if defined(__CUDACC__)
#define STREAMHMM_BOTH __host__ __device__
#else
#define STREAMHMM_BOTH
#endif
