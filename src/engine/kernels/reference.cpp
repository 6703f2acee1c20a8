// The CPU truth of every kernel: plain loops in the order of the formulas. The CPU path of the
// trainer runs these, so they are also deterministic: one thread per row, sums in row order.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <vector>

#include "base/splitmix64.h"
#include "engine/kernels/kernels.h"

namespace sxb::kernels {
namespace cpu {
namespace {

using i64 = std::int64_t;

void rotate(float* row, const float* cos_sin, i64 heads, i64 d, float direction) {
  const i64 half = d / 2;
  for (i64 h = 0; h < heads; ++h) {
    float* v = row + h * d;
    for (i64 i = 0; i < half; ++i) {
      const float c = cos_sin[2 * i];
      const float s = cos_sin[2 * i + 1] * direction;
      const float a = v[i];
      const float b = v[i + half];
      v[i] = a * c - b * s;
      v[i + half] = b * c + a * s;
    }
  }
}

void rope(float* qkv, const std::int32_t* position, const float* table, i64 T, i64 H, i64 K, i64 d,
          float direction) {
  const i64 width = (H + 2 * K) * d;
  for (i64 t = 0; t < T; ++t) rotate(qkv + t * width, table + position[t] * d, H + K, d, direction);
}

float dot(const float* a, const float* b, i64 n) {
  float sum = 0;
  for (i64 i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

void rmsnorm_forward(float* out, float* sum, float* rstd, const float* x, const float* delta,
                     const float* weight, i64 T, i64 D, float eps) {
  for (i64 t = 0; t < T; ++t) {
    const float* row = x + t * D;
    if (delta != nullptr) {
      for (i64 i = 0; i < D; ++i) sum[t * D + i] = row[i] + delta[t * D + i];
      row = sum + t * D;
    }
    const float mean_square = dot(row, row, D) / static_cast<float>(D);
    rstd[t] = 1.0f / std::sqrt(mean_square + eps);
    for (i64 i = 0; i < D; ++i) out[t * D + i] = row[i] * rstd[t] * weight[i];
  }
}

void rmsnorm_backward(float* dx, float* dweight, bool accumulate, float* dout, bool restore,
                      const float* residual, const float* x, const float* weight, const float* rstd, i64 T,
                      i64 D) {
  if (!accumulate) std::fill(dweight, dweight + D, 0.0f);
  for (i64 t = 0; t < T; ++t) {
    float* g = dout + t * D;
    const float* row = x + t * D;
    const float r = rstd[t];
    // y = x r w, r = (mean(x^2) + eps)^-1/2  =>  dx = r (w g - x r^2 mean(x w g)).
    float mean = 0;
    for (i64 i = 0; i < D; ++i) mean += row[i] * weight[i] * g[i];
    mean /= static_cast<float>(D);
    for (i64 i = 0; i < D; ++i) {
      dweight[i] += g[i] * row[i] * r;
      const float gradient = r * (weight[i] * g[i] - row[i] * r * r * mean);
      dx[t * D + i] = residual != nullptr ? residual[t * D + i] + gradient : gradient;
      if (restore) g[i] = row[i] * r * weight[i];
    }
  }
}

void rope_forward(float* qkv, const std::int32_t* position, const float* table, i64 T, i64 H, i64 K, i64 d) {
  rope(qkv, position, table, T, H, K, d, 1.0f);
}

void rope_backward(float* dqkv, const std::int32_t* position, const float* table, i64 T, i64 H, i64 K,
                   i64 d) {
  rope(dqkv, position, table, T, H, K, d, -1.0f);
}

void attention_forward(float* out, float* lse, const float* qkv, const std::int32_t* start, i64 documents,
                       i64 T, i64 H, i64 K, i64 d) {
  const i64 width = (H + 2 * K) * d;
  const float scale = 1.0f / std::sqrt(static_cast<float>(d));
  std::vector<float> score;
  for (i64 j = 0; j < documents; ++j) {
    for (i64 t = start[j]; t < start[j + 1]; ++t) {
      for (i64 h = 0; h < H; ++h) {
        const i64 kv = h / (H / K);
        const float* q = qkv + t * width + h * d;
        const i64 keys = t - start[j] + 1;
        score.resize(static_cast<std::size_t>(keys));
        float highest = -INFINITY;
        for (i64 u = 0; u < keys; ++u) {
          const float* k = qkv + (start[j] + u) * width + (H + kv) * d;
          score[static_cast<std::size_t>(u)] = scale * dot(q, k, d);
          highest = std::max(highest, score[static_cast<std::size_t>(u)]);
        }
        float total = 0;
        for (float& s : score) total += s = std::exp(s - highest);
        lse[h * T + t] = highest + std::log(total);
        float* o = out + (t * H + h) * d;
        std::fill(o, o + d, 0.0f);
        for (i64 u = 0; u < keys; ++u) {
          const float p = score[static_cast<std::size_t>(u)] / total;
          const float* v = qkv + (start[j] + u) * width + (H + K + kv) * d;
          for (i64 i = 0; i < d; ++i) o[i] += p * v[i];
        }
      }
    }
  }
}

void attention_backward(float* dqkv, const float* dout, const float* qkv, const float* out, const float* lse,
                        const std::int32_t* start, i64 documents, i64 T, i64 H, i64 K, i64 d) {
  const i64 width = (H + 2 * K) * d;
  const float scale = 1.0f / std::sqrt(static_cast<float>(d));
  std::fill(dqkv, dqkv + T * width, 0.0f);
  for (i64 j = 0; j < documents; ++j) {
    for (i64 t = start[j]; t < start[j + 1]; ++t) {
      for (i64 h = 0; h < H; ++h) {
        const i64 kv = h / (H / K);
        const float* q = qkv + t * width + h * d;
        const float* g = dout + (t * H + h) * d;
        const float delta = dot(g, out + (t * H + h) * d, d);
        float* dq = dqkv + t * width + h * d;
        for (i64 u = start[j]; u <= t; ++u) {
          const float* k = qkv + u * width + (H + kv) * d;
          const float* v = qkv + u * width + (H + K + kv) * d;
          float* dk = dqkv + u * width + (H + kv) * d;
          float* dv = dqkv + u * width + (H + K + kv) * d;
          const float p = std::exp(scale * dot(q, k, d) - lse[h * T + t]);
          const float ds = p * (dot(g, v, d) - delta) * scale;
          for (i64 i = 0; i < d; ++i) {
            dq[i] += ds * k[i];
            dk[i] += ds * q[i];
            dv[i] += p * g[i];
          }
        }
      }
    }
  }
}

void swiglu_forward(float* out, const float* gate_up, i64 T, i64 F) {
  for (i64 t = 0; t < T; ++t) {
    for (i64 i = 0; i < F; ++i) {
      const float gate = gate_up[t * 2 * F + i];
      const float up = gate_up[t * 2 * F + F + i];
      const float sigmoid = 1.0f / (1.0f + std::exp(-gate));
      out[t * F + i] = gate * sigmoid * up;
    }
  }
}

void swiglu_backward(float* gate_up, float* dout, bool restore, i64 T, i64 F) {
  for (i64 t = 0; t < T; ++t) {
    for (i64 i = 0; i < F; ++i) {
      float& gate = gate_up[t * 2 * F + i];
      float& up = gate_up[t * 2 * F + F + i];
      float& g = dout[t * F + i];
      const float sigmoid = 1.0f / (1.0f + std::exp(-gate));
      const float silu = gate * sigmoid;
      const float out = silu * up;
      const float dgate = g * up * sigmoid * (1.0f + gate * (1.0f - sigmoid));
      up = g * silu;
      gate = dgate;
      if (restore) g = out;
    }
  }
}

void embedding_forward(float* out, const float* table, const std::int32_t* token, i64 T, i64 D) {
  for (i64 t = 0; t < T; ++t) {
    std::memcpy(out + t * D, table + token[t] * D, static_cast<std::size_t>(D) * sizeof(float));
  }
}

void embedding_backward(float* dtable, const float* dout, const std::int32_t* token, i64 T, i64 D) {
  for (i64 t = 0; t < T; ++t) {
    float* row = dtable + token[t] * D;
    for (i64 i = 0; i < D; ++i) row[i] += dout[t * D + i];
  }
}

void cross_entropy(float* logits, float* loss, const std::int32_t* target, float scale, i64 T, i64 V) {
  for (i64 t = 0; t < T; ++t) {
    float* row = logits + t * V;
    if (target[t] < 0) {
      loss[t] = 0;
      std::fill(row, row + V, 0.0f);
      continue;
    }
    const float highest = *std::max_element(row, row + V);
    float total = 0;
    for (i64 i = 0; i < V; ++i) total += std::exp(row[i] - highest);
    loss[t] = std::log(total) + highest - row[target[t]];
    for (i64 i = 0; i < V; ++i) row[i] = std::exp(row[i] - highest) / total * scale;
    row[target[t]] -= scale;
  }
}

void sum_of_squares(double* out, const float* x, i64 n) {
  double sum = 0;
  for (i64 i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  *out += sum;
}

void adamw(float* param, float* master, float* m, float* v, const float* grad, const float* grad_scale,
           const AdamWStep* step, const AdamW& c, i64 n) {
  const AdamWStep& s = *step;
  for (i64 i = 0; i < n; ++i) {
    const float g = grad[i] * *grad_scale;
    m[i] = c.beta1 * m[i] + c.rest1 * g;
    v[i] = c.beta2 * v[i] + c.rest2 * g * g;
    const float denominator = std::sqrt(v[i] / s.bias2) + c.eps;
    master[i] = master[i] * (1 - s.lr * c.weight_decay) - s.lr * (m[i] / s.bias1) / denominator;
    param[i] = master[i];
  }
}

void init_normal(float* out, std::uint64_t seed, std::uint64_t first, float std, i64 n) {
  for (i64 i = 0; i < n; ++i) {
    const std::uint64_t bits = splitmix64(splitmix64(seed) ^ (first + static_cast<std::uint64_t>(i)));
    // Box-Muller on two 24-bit uniforms in (0, 1].
    const double u = (static_cast<double>(bits >> 40) + 1.0) / 16777216.0;
    const double w = static_cast<double>((bits >> 8) & 0xffffff) / 16777216.0;
    out[i] = static_cast<float>(static_cast<double>(std) * std::sqrt(-2.0 * std::log(u)) *
                                std::cos(2.0 * std::numbers::pi * w));
  }
}

void gradient_scale(float* results, const double* sums, double token_unit, double clip) {
  const double tokens = std::max(sums[2], 1.0);
  const double unscale = 1.0 / (token_unit * tokens);
  const double norm = std::sqrt(sums[0]) * unscale;
  const double factor = clip > 0 && norm > clip ? clip / norm : 1.0;
  results[0] = static_cast<float>(unscale * factor);
  results[1] = static_cast<float>(norm);
  results[2] = static_cast<float>(sums[1] / tokens);
}

}  // namespace cpu
}  // namespace sxb::kernels
