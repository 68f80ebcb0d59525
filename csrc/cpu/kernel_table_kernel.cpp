// Collects one instruction set's kernels.
#include "kernels.h"
#include "target.h"

#define STREAMHMM_TEXT_OF(name) #name
#define STREAMHMM_TEXT(name) STREAMHMM_TEXT_OF(name)

namespace streamhmm {
namespace STREAMHMM_TARGET {

void fill_dense_narrow(Kernels& table);
void fill_dense_product(Kernels& table);
void fill_dense_rows(Kernels& table);
void fill_dense_viterbi(Kernels& table);
void fill_dense_walk(Kernels& table);
void fill_diagonal(Kernels& table);
void fill_linear_viterbi(Kernels& table);
void fill_linear_sums(Kernels& table);
void fill_online(Kernels& table);
void fill_pdf_sums(Kernels& table);
void fill_rates(Kernels& table);
void fill_row_scan(Kernels& table);
void fill_semi_markov_best(Kernels& table);
void fill_semi_markov_sum(Kernels& table);
void fill_dtw_steps(Kernels& table);
void fill_dtw_costs(Kernels& table);
void fill_tiles(Kernels& table);

void fill_table(Kernels& table) {
  table.name = STREAMHMM_TEXT(STREAMHMM_TARGET);
  fill_dense_narrow(table);
  fill_dense_product(table);
  fill_dense_rows(table);
  fill_dense_viterbi(table);
  fill_dense_walk(table);
  fill_diagonal(table);
  fill_linear_viterbi(table);
  fill_linear_sums(table);
  fill_online(table);
  fill_pdf_sums(table);
  fill_rates(table);
  fill_row_scan(table);
  fill_semi_markov_best(table);
  fill_semi_markov_sum(table);
  fill_dtw_steps(table);
  fill_dtw_costs(table);
  fill_tiles(table);
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
