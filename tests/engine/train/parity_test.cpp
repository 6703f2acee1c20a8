// Our forward and backward against Hugging Face's LlamaForCausalLM, which computed the stored loss
// and gradients in double precision (make_hf_reference.py): grouped-query attention, two documents
// in a packed row, padding, prompt tokens outside the loss.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "data/safetensors.h"
#include "engine/support/ranks.h"
#include "engine/train/loop/checkpoint.h"
#include "engine/train/loop/loader.h"
#include "engine/train/model/llama.h"

namespace sxb::engine::train {
namespace {

constexpr std::int64_t kRows = 2;
constexpr std::int64_t kSeqLen = 48;

config::Architecture tiny() {
  config::Architecture arch;
  arch.hidden = 64, arch.ffn = 176, arch.layers = 2, arch.heads = 4, arch.kv_heads = 2, arch.vocab = 1024;
  return arch;
}

at::Tensor tensor_of(const data::SafetensorsReader& reader, const std::string& name, at::ScalarType type) {
  const data::TensorView view = reader.find(name).value();
  return at::from_blob(const_cast<void*>(view.data), view.shape, at::TensorOptions(type));
}

HostBatch reference_batch(const data::SafetensorsReader& reader) {
  const at::Tensor words = tensor_of(reader, "words", at::kLong);
  BatchBuilder builder(kRows, kSeqLen);
  for (std::int64_t r = 0; r < kRows; ++r) {
    std::vector<std::uint32_t> row;
    for (std::int64_t t = 0; t < kSeqLen; ++t)
      row.push_back(static_cast<std::uint32_t>(words[r][t].item<std::int64_t>()));
    builder.add_row(row.data());
  }
  return builder.finish();
}

DeviceBatch on_cpu(HostBatch& host) {
  DeviceBatch batch;
  batch.rows = host.rows, batch.seq_len = host.seq_len;
  const auto view = [](std::vector<std::int32_t>& v) {
    return at::from_blob(v.data(), {static_cast<std::int64_t>(v.size())}, at::TensorOptions(at::kInt));
  };
  batch.token_T = view(host.token), batch.target_T = view(host.target),
  batch.position_T = view(host.position);
  batch.start = view(host.start);
  batch.documents = static_cast<std::int64_t>(host.start.size()) - 1;
  batch.max_document = host.max_document, batch.whole_rows = host.whole_rows;
  return batch;
}

double relative_error(const at::Tensor& ours, const at::Tensor& reference) {
  const at::Tensor a = ours.to(at::kDouble);
  const at::Tensor b = reference.to(at::kDouble);
  return ((a - b).norm() / b.norm()).item<double>();
}

/// Returns the gradients, a flat buffer per unit.
void expect_parity(const config::Recompute& recompute, std::vector<at::Tensor>& gradients) {
  const c10::InferenceMode no_autograd;
  const std::string folder = std::string(SXB_TEST_DATA) + "/hf-tiny";
  const auto reference = data::SafetensorsReader::open(folder + "/reference.safetensors");
  ASSERT_TRUE(reference.ok());
  HostBatch host = reference_batch(*reference);
  EXPECT_EQ(host.documents, 4);
  EXPECT_EQ(host.tokens, 41 + 48);
  EXPECT_EQ(host.loss_tokens, 57);
  const DeviceBatch batch = on_cpu(host);

  comm::Rendezvous rendezvous(local_rendezvous(0, 1, free_port()));
  const auto comm = comm::create_gloo_communicator(rendezvous, {});
  const Device device = Device::make(false, false);
  const Layout layout = make_layout(tiny(), 1);
  const ProcessGroups groups(*comm);
  ShardedParameters p(layout, {}, device, groups);
  config::Model model;
  model.init_from = folder + "/model.safetensors";
  initialize_from(p, layout, model);
  Llama llama(layout, device, kRows * kSeqLen, kSeqLen, recompute);

  Residual stream = llama.embed(batch, embedding_view(layout, p.gather(0)));
  for (int u = 1; u < layout.head(); ++u)
    stream = llama.block(u - 1, stream, block_view(layout, p.gather(u)), batch);
  at::Tensor loss_sum = device.zeros({}, at::kDouble);
  const int head = layout.head();
  at::Tensor dx =
      llama.head_and_loss(stream, head_view(layout, p.gather(head)), head_view(layout, p.gradients(head)),
                          false, batch, 1.0 / static_cast<double>(host.loss_tokens), loss_sum);
  for (int u = head - 1; u >= 1; --u) {
    dx = llama.block_backward(u - 1, dx, block_view(layout, p.gather(u)), block_view(layout, p.gradients(u)),
                              false, batch);
  }
  at::Tensor dtable = embedding_view(layout, p.gradients(0));
  llama.embed_backward(dx, dtable, false, batch);

  const double loss = loss_sum.item<double>() / static_cast<double>(host.loss_tokens);
  const double expected = tensor_of(*reference, "loss", at::kDouble).item<double>();
  EXPECT_NEAR(loss / expected, 1.0, 1e-5);
  for (int u = 0; u < layout.count(); ++u) {
    for (const Param& param : layout.units[static_cast<std::size_t>(u)].params) {
      const at::Tensor ours = p.gradients(u).narrow(0, param.offset, param.numel());
      const at::Tensor theirs = tensor_of(*reference, param.name, at::kFloat).reshape({-1});
      EXPECT_LE(relative_error(ours, theirs), 1e-5) << param.name;
    }
    gradients.push_back(p.gradients(u));
  }
}

TEST(Parity, LossAndEveryGradientMatchHuggingFace) {
  std::vector<at::Tensor> gradients;
  expect_parity({false, false, false, false}, gradients);
}

TEST(Parity, WhatIsRecomputedChangesNoBitOfAGradient) {
  std::vector<at::Tensor> kept;
  expect_parity({false, false, false, false}, kept);
  for (int choice = 1; choice < 8; ++choice) {
    const config::Recompute recompute{false, (choice & 1) != 0, (choice & 2) != 0, (choice & 4) != 0};
    std::vector<at::Tensor> gradients;
    expect_parity(recompute, gradients);
    ASSERT_EQ(gradients.size(), kept.size());
    for (std::size_t u = 0; u < kept.size(); ++u) {
      EXPECT_TRUE(gradients[u].equal(kept[u])) << config::to_string(recompute) << ", unit " << u;
    }
  }
}

}  // namespace
}  // namespace sxb::engine::train
