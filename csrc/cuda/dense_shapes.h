// How the product of a wide dense graph is divided over a card.
#pragma once

#include <cstdint>
#include <functional>

#include "dense_product.h"

namespace streamhmm::cuda {

// Rows are as long as a multiple of 4.
inline int32_t row_of(int32_t states) { return (states + 3) / 4 * 4; }

// The division that takes least by a model of the time of a frame; its `row` is 0 where none fits the card.
// `other_bytes`: shared memory that a block needs beside the product's. Where `across` is above 1, the blocks wait for
// each other, and there are no more of them than multiprocessors.
ProductShape best_shape(int64_t batch, int32_t states, const Card& card,
                        const std::function<int64_t(const ProductShape&)>& other_bytes);

}  // namespace streamhmm::cuda
