// How fast this rank's GPU multiplies matrices.
#pragma once

namespace sxb::engine::locate {

/// TFLOP/s of a product of two matrices of 8192 x 8192 in BF16, which keeps every multiprocessor busy, on the
/// current GPU: the median over `seconds`, by the host's clock around each product.
double matmul_tflops(double seconds);

}  // namespace sxb::engine::locate
