#include "engine/train/model/ops.h"

#include <ATen/ops/embedding_dense_backward.h>
#include <c10/cuda/CUDAStream.h>

namespace sxb::engine::train::ops {
namespace {

kernels::Type type_of(const at::Tensor& t) {
  return t.scalar_type() == at::kBFloat16 ? kernels::Type::kBFloat16 : kernels::Type::kFloat32;
}
kernels::Stream stream() { return c10::cuda::getCurrentCUDAStream().stream(); }
float* f32(const at::Tensor& t) { return t.defined() ? static_cast<float*>(t.data_ptr()) : nullptr; }
void* raw(const at::Tensor& t) { return t.defined() ? t.data_ptr() : nullptr; }
std::int32_t* i32(const at::Tensor& t) { return static_cast<std::int32_t*>(t.data_ptr()); }

}  // namespace

void rmsnorm(at::Tensor& out, at::Tensor& sum, at::Tensor& rstd, const at::Tensor& x, const at::Tensor& delta,
             const at::Tensor& weight, double eps) {
  const std::int64_t T = x.size(0);
  const std::int64_t D = x.size(1);
  if (!delta.defined()) sum = x;
  if (x.is_cuda()) {
    kernels::cuda::rmsnorm_forward(type_of(x), raw(out), raw(sum), f32(rstd), raw(x), raw(delta), raw(weight),
                                   T, D, static_cast<float>(eps), stream());
  } else {
    kernels::cpu::rmsnorm_forward(f32(out), f32(sum), f32(rstd), f32(x), f32(delta), f32(weight), T, D,
                                  static_cast<float>(eps));
  }
}

std::int64_t rmsnorm_scratch(std::int64_t D) { return kernels::cuda::rmsnorm_backward_scratch(D); }

void rmsnorm_backward(at::Tensor& dx, at::Tensor& dweight, bool accumulate, at::Tensor& dout, bool restore,
                      const at::Tensor& residual, const at::Tensor& x, const at::Tensor& rstd,
                      const at::Tensor& weight, at::Tensor& scratch) {
  const std::int64_t T = x.size(0);
  const std::int64_t D = x.size(1);
  if (x.is_cuda()) {
    kernels::cuda::rmsnorm_backward(type_of(x), raw(dx), raw(dweight), accumulate, raw(dout), restore,
                                    raw(residual), raw(x), raw(weight), f32(rstd), f32(scratch), T, D,
                                    stream());
  } else {
    kernels::cpu::rmsnorm_backward(f32(dx), f32(dweight), accumulate, f32(dout), restore, f32(residual),
                                   f32(x), f32(weight), f32(rstd), T, D);
  }
}

void swiglu(at::Tensor& out, const at::Tensor& gate_up) {
  if (out.is_cuda()) {
    kernels::cuda::swiglu_forward(type_of(out), raw(out), raw(gate_up), out.size(0), out.size(1), stream());
  } else {
    kernels::cpu::swiglu_forward(f32(out), f32(gate_up), out.size(0), out.size(1));
  }
}

void swiglu_backward(at::Tensor& gate_up, at::Tensor& dout, bool restore) {
  if (dout.is_cuda()) {
    kernels::cuda::swiglu_backward(type_of(dout), raw(gate_up), raw(dout), restore, dout.size(0),
                                   dout.size(1), stream());
  } else {
    kernels::cpu::swiglu_backward(f32(gate_up), f32(dout), restore, dout.size(0), dout.size(1));
  }
}

void embedding(at::Tensor& out, const at::Tensor& table, const at::Tensor& token) {
  if (out.is_cuda()) {
    kernels::cuda::embedding_forward(type_of(out), raw(out), raw(table), i32(token), out.size(0), out.size(1),
                                     stream());
  } else {
    kernels::cpu::embedding_forward(f32(out), f32(table), i32(token), out.size(0), out.size(1));
  }
}

void embedding_backward(at::Tensor& dtable, bool accumulate, const at::Tensor& dout,
                        const at::Tensor& token) {
  if (dout.is_cuda()) {
    // ATen sorts the tokens and adds the rows of each in order: the same bits every time.
    const at::Tensor gradient = at::embedding_dense_backward(dout, token, dtable.size(0), -1, false);
    if (accumulate) {
      dtable.add_(gradient);
    } else {
      dtable.copy_(gradient);
    }
    return;
  }
  if (!accumulate) dtable.zero_();
  kernels::cpu::embedding_backward(f32(dtable), f32(dout), i32(token), dout.size(0), dout.size(1));
}

void cross_entropy(at::Tensor& logits, at::Tensor& loss, const at::Tensor& target, double scale) {
  if (logits.is_cuda()) {
    kernels::cuda::cross_entropy(type_of(logits), raw(logits), f32(loss), i32(target),
                                 static_cast<float>(scale), logits.size(0), logits.size(1), stream());
  } else {
    kernels::cpu::cross_entropy(f32(logits), f32(loss), i32(target), static_cast<float>(scale),
                                logits.size(0), logits.size(1));
  }
}

}  // namespace sxb::engine::train::ops
