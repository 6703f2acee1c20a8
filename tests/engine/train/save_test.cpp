// The saved folder holds the trained weights, whatever the sharding, and is a model of transformers.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>

#include <cstdlib>

#include "base/files.h"
#include "config/model/weights.h"
#include "data/safetensors.h"
#include "engine/train/loop/checkpoint.h"
#include "engine/train/training_run.h"

namespace sxb::engine::train {
namespace {

using config::Sharding;
using testing::ElementsAre;
using testing::HasSubstr;

at::Tensor saved_tensor(const data::SafetensorsReader& reader, const std::string& name) {
  const data::TensorView view = reader.find(name).value();
  return at::from_blob(const_cast<void*>(view.data), view.shape, at::TensorOptions(at::kFloat)).clone();
}

data::SafetensorsReader open_saved(const fs::path& folder) {
  auto reader = data::SafetensorsReader::open(folder);
  if (!reader) ADD_FAILURE() << format_errors(reader.errors());
  return std::move(reader).value();
}

std::vector<Json> records_of(const RunRecords& records, const std::string& kind) {
  std::vector<Json> found;
  for (const auto& [name, data] : records.all) {
    if (name == kind) found.push_back(data);
  }
  return found;
}

/// A task on one node, or with hybrid sharding on two.
plan::RankTask save_task(int world, Sharding sharding, std::int64_t layers, std::int64_t steps,
                         const fs::path& folder) {
  plan::RankTask task = tiny_task(world, steps);
  task.task.model.arch.layers = layers;
  task.task.model.training.sharding = sharding;
  task.task.model.training.warmup = 0;
  if (sharding == Sharding::kHybrid) task.task.nodes = 2, task.ranks_per_node = world / 2;
  // As a run has them, for the tokenizer.
  const fs::path files = fs::path(SXB_TEST_DATA) / "train-dataset";
  task.task.model.data = {(files / "data.json").string(), (files / "tokenizer.model").string()};
  task.save_dir = folder.string();
  return task;
}

TEST(Layout, HoldsTheTensorsOfAHuggingFaceLlama) {
  for (const std::int64_t kv_heads : {1, 2, 4}) {
    config::Architecture arch = tiny_task(1, 1).task.model.arch;
    arch.kv_heads = kv_heads;
    arch.layers = 3;
    std::map<std::string, std::vector<std::int64_t>> shapes;
    for (const UnitLayout& unit : make_layout(arch, 2).units) {
      for (const Param& param : unit.params) {
        shapes[param.name] = param.is_norm ? std::vector<std::int64_t>{param.cols}
                                           : std::vector<std::int64_t>{param.rows, param.cols};
      }
    }
    EXPECT_EQ(shapes, config::tensor_shapes(arch));
  }
}

struct Case {
  Sharding sharding;
  int world;
  std::int64_t layers, resident;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Sharding sharding :
       {Sharding::kNone, Sharding::kOptimizer, Sharding::kGradients, Sharding::kFull, Sharding::kHybrid}) {
    for (const int world : {1, 2, 3, 4}) {
      if (sharding == Sharding::kHybrid && world != 2 && world != 4) continue;
      const bool has_ring = sharding == Sharding::kFull || sharding == Sharding::kHybrid;
      for (const std::int64_t layers : {1, 3, 4, 5, 7}) {
        for (const std::int64_t resident :
             has_ring ? std::vector<std::int64_t>{2, 3, 9} : std::vector<std::int64_t>{3})
          cases.push_back({sharding, world, layers, resident});
      }
    }
  }
  return cases;
}

/// The weights are what their generator gives for each element: known without any gather.
TEST(Save, WritesEveryElementWhateverTheSharding) {
  const c10::InferenceMode no_autograd;
  const TemporaryDir dir;
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(config::to_string(c.sharding) + ", " + std::to_string(c.world) + " ranks, " +
                 std::to_string(c.layers) + " layers, " + std::to_string(c.resident) + " resident");
    plan::RankTask base = save_task(c.world, c.sharding, c.layers, 1, dir.path() / "saved");
    config::Model& model = base.task.model;
    model.arch.hidden = 32, model.arch.ffn = 48, model.arch.vocab = 64;
    constexpr std::uint64_t kSeed = 77;
    run_gloo(c.world, [&](comm::Communicator& comm) {
      const c10::InferenceMode no_autograd_here;
      plan::RankTask task = base;
      task.rank = comm.rank();
      task.local_world = task.ranks_per_node;
      task.local_rank = task.rank % task.local_world;
      task.node_rank = task.rank / task.local_world;
      const ProcessGroups groups(comm, c.sharding, task);
      const Layout layout = make_layout(model.arch, groups.shard().world());
      ShardingOptions options;
      options.sharding = c.sharding;
      options.resident_blocks = c.resident;
      const Device device = Device::make(false, false);
      ShardedParameters parameters(layout, options, device, groups);
      initialize_random(parameters, layout, kSeed, device);
      // As steps leave the ring of gathered blocks: forward, then back.
      for (int u = 0; u < layout.count(); ++u) parameters.gather(u), parameters.release(u);
      for (int u = layout.head(); u >= 0; --u) parameters.gather(u), parameters.release(u);
      RunRecords records;
      save_weights(parameters, layout, task, nullptr, device, Emitter(&RunRecords::add, &records));
      EXPECT_EQ(records_of(records, "saved").size(), task.rank == 0 ? 1u : 0u);
    });
    const auto reader = open_saved(base.save_dir);
    const Layout layout = make_layout(model.arch, 1);
    EXPECT_EQ(reader.tensors().size(), config::tensor_shapes(model.arch).size());
    for (int u = 0; u < layout.count(); ++u) {
      for (const Param& param : layout.units[static_cast<std::size_t>(u)].params) {
        at::Tensor expected = at::ones({param.numel()}, at::kFloat);
        if (!param.is_norm) {
          const std::uint64_t first =
              layout.first_element[static_cast<std::size_t>(u)] + static_cast<std::uint64_t>(param.offset);
          kernels::cpu::init_normal(expected.data_ptr<float>(), kSeed, first, 0.02f, param.numel());
        }
        EXPECT_TRUE(saved_tensor(reader, param.name).reshape({-1}).equal(expected)) << param.name;
      }
    }
  }
}

class Trained : public testing::TestWithParam<std::tuple<Sharding, int, int>> {};

/// Trained, saved, and the same within rounding as what one rank trains and saves.
TEST_P(Trained, SavesWhatOneRankTrains) {
  const auto [sharding, world, layers] = GetParam();
  const TemporaryDir dir;
  losses(save_task(1, Sharding::kNone, layers, 4, dir.path() / "one"));
  RunRecords records;
  run(save_task(world, sharding, layers, 4, dir.path() / "many"), records);
  const auto one = open_saved(dir.path() / "one"), many = open_saved(dir.path() / "many");
  ASSERT_EQ(one.tensors().size(), many.tensors().size());
  for (const auto& [name, view] : one.tensors()) {
    const at::Tensor difference = (saved_tensor(one, name) - saved_tensor(many, name)).abs();
    // Other orders of sums; a gradient near zero may change its sign, and with it AdamW's whole step.
    EXPECT_LT(difference.mean().item<double>(), 1e-5) << name;
  }
  EXPECT_EQ(records_of(records, record::kind::kFinding).size(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Worlds, Trained,
                         testing::Values(std::tuple(Sharding::kNone, 2, 5),
                                         std::tuple(Sharding::kOptimizer, 3, 5),
                                         std::tuple(Sharding::kGradients, 2, 5),
                                         std::tuple(Sharding::kFull, 2, 1), std::tuple(Sharding::kFull, 2, 5),
                                         std::tuple(Sharding::kFull, 3, 7), std::tuple(Sharding::kFull, 4, 4),
                                         std::tuple(Sharding::kHybrid, 4, 5)),
                         [](const auto& values) {
                           return config::to_string(std::get<0>(values.param)) + "_" +
                                  std::to_string(std::get<1>(values.param)) + "_ranks_" +
                                  std::to_string(std::get<2>(values.param)) + "_layers";
                         });

TEST(Save, LeavesAFolderThatIsWhole) {
  const TemporaryDir dir;
  RunRecords records;
  run(save_task(2, Sharding::kFull, 5, 2, dir.path() / "saved"), records);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir.path() / "saved"))
    names.push_back(entry.path().filename().string());
  EXPECT_THAT(names, testing::UnorderedElementsAre("config.json", "model.safetensors", "sxbench.json",
                                                   "tokenizer.model"));
  EXPECT_EQ(read_file(dir.path() / "saved" / "tokenizer.model").value(),
            read_file(fs::path(SXB_TEST_DATA) / "train-dataset" / "tokenizer.model").value());
  const Json config = *load_json(dir.path() / "saved" / "config.json");
  EXPECT_EQ(config.at("max_position_embeddings"), kSeqLen);
  EXPECT_EQ(config.at("bos_token_id"), 1);
  EXPECT_EQ(config.at("eos_token_id"), 2);
  EXPECT_EQ(config.at("num_hidden_layers"), 5);
  EXPECT_EQ(config.at("torch_dtype"), "float32");
  const Json about = *load_json(dir.path() / "saved" / "sxbench.json");
  EXPECT_EQ(about.at("init"), "random(1234)");
  EXPECT_EQ(about.at("steps"), 2);
  // What the record says of it.
  const auto saved = records_of(records, "saved");
  ASSERT_EQ(saved.size(), 1u);
  EXPECT_EQ(saved[0].at("file"), "model.safetensors");
  EXPECT_EQ(saved[0].at("bytes"), save_task(2, Sharding::kFull, 5, 2, "").task.model.arch.parameters() * 4);
  EXPECT_EQ(saved[0].at("tensors"), 3 + 5 * 9);
  EXPECT_EQ(records_of(records, "training").at(0).at("tokenizer_hash"), about.at("tokenizer_hash"));
  // And it is a model of its own: `--models FOLDER`.
  const auto model = config::load_model((dir.path() / "saved").string());
  ASSERT_TRUE(model.ok()) << format_errors(model.errors());
  EXPECT_TRUE(config::check_weights_config(model->model).ok());
  EXPECT_EQ(model->model.init_from, (dir.path() / "saved").string());
}

TEST(Save, SaysThatTheTokenizerIsNotHere) {
  const TemporaryDir dir;
  RunRecords records;
  plan::RankTask task = save_task(2, Sharding::kFull, 5, 2, dir.path() / "saved");
  task.task.model.data.tokenizer = (dir.path() / "gone.model").string();
  run(task, records);
  const auto findings = records_of(records, record::kind::kFinding);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].at("code"), "saved_without_tokenizer");
  EXPECT_FALSE(fs::exists(dir.path() / "saved" / "tokenizer.model"));
}

TEST(Save, AFolderThatCannotBeWrittenEndsTheTraining) {
  const TemporaryDir dir;
  ASSERT_TRUE(write_file_atomic(dir.path() / "file", "x").ok());
  plan::RankTask task = save_task(1, Sharding::kNone, 2, 2, dir.path() / "file" / "below");
  RunRecords records;
  try {
    run(task, records);
    ADD_FAILURE() << "saved";
  } catch (const EngineError& error) {
    EXPECT_EQ(error.code, "save_failed");
    EXPECT_EQ(error.exit_code, ExitCode::kEnvironment);
    EXPECT_THAT(error.help, HasSubstr("--save"));
  }
}

/// The exit status of python3, or of what SXB_TEST_PYTHON names.
int python(const std::string& arguments) {
  const char* chosen = std::getenv("SXB_TEST_PYTHON");
  return std::system(((chosen != nullptr ? chosen : "python3") + (" " + arguments) + " >&2").c_str());
}

TEST(Save, LoadsInTransformers) {
  if (python("-c 'import torch, transformers' 2>/dev/null") != 0)
    GTEST_SKIP() << "python3 without torch and transformers (SXB_TEST_PYTHON names one that has them)";
  const TemporaryDir dir;
  losses(save_task(2, Sharding::kFull, 5, 2, dir.path() / "saved"));
  const std::string script = std::string(SXB_SOURCE_DIR) + "/tests/engine/train/load_saved.py ";
  EXPECT_EQ(python(script + (dir.path() / "saved").string()), 0);
}

}  // namespace
}  // namespace sxb::engine::train
