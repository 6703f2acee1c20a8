// Saved weights are there whole or not at all.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <optional>
#include <thread>

#include "base/files.h"
#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "temp_dir.h"

namespace sxb::data {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kNumel = 1000;
constexpr std::int64_t kBytes = kNumel * 4;

std::vector<TensorInfo> infos(int tensors) {
  std::vector<TensorInfo> all;
  for (int i = 0; i < tensors; ++i) all.push_back({"t" + std::to_string(i), "F32", {10, kNumel / 10}});
  return all;
}

/// Tensor i is full of value + i.
Status save(const fs::path& folder, int tensors, float value, std::int64_t max_file_bytes) {
  SXB_ASSIGN_OR_RETURN(auto writer, ModelFolderWriter::begin(folder, infos(tensors), max_file_bytes));
  for (int i = 0; i < tensors; ++i) {
    const std::vector<float> data(kNumel, value + static_cast<float>(i));
    SXB_RETURN_IF_ERROR(writer.append(data.data(), kBytes));
  }
  SXB_RETURN_IF_ERROR(writer.add("config.json", "{\"value\": " + std::to_string(value) + "}"));
  return writer.finish({{"value", value}});
}

std::vector<std::string> names(const fs::path& folder) {
  std::vector<std::string> all;
  for (const auto& entry : fs::directory_iterator(folder)) all.push_back(entry.path().filename().string());
  std::sort(all.begin(), all.end());
  return all;
}

/// The value that every tensor of the folder was saved with; none if it does not load. Fails the test on a
/// mixture.
std::optional<float> loaded(const fs::path& folder, int tensors) {
  const auto reader = SafetensorsReader::open(folder);
  if (!reader.ok()) return std::nullopt;
  EXPECT_EQ(reader->tensors().size(), static_cast<std::size_t>(tensors));
  std::optional<float> value;
  for (int i = 0; i < tensors; ++i) {
    const auto tensor = reader->find("t" + std::to_string(i));
    if (!tensor.ok()) {
      ADD_FAILURE() << tensor.error().what;
      continue;
    }
    const auto* data = static_cast<const float*>(tensor->data);
    for (std::int64_t k = 0; k < kNumel; ++k) {
      const float one = data[k] - static_cast<float>(i);
      if (!value) value = one;
      if (one != *value) {
        ADD_FAILURE() << "tensor " << i << " is of another save";
        break;
      }
    }
  }
  if (value) {
    EXPECT_THAT(*read_file(folder / "config.json"), HasSubstr(std::to_string(*value)));
  }
  return value;
}

using ModelFolder = TempDir;

TEST_F(ModelFolder, OneFileWhereItFits) {
  ASSERT_TRUE(save(dir_ / "a", 5, 1, 5 * kBytes).ok());
  EXPECT_THAT(names(dir_ / "a"), ElementsAre("config.json", "model.safetensors", "sxbench.json"));
  EXPECT_EQ(loaded(dir_ / "a", 5), 1.0f);
  EXPECT_THAT(*read_file(dir_ / "a" / "model.safetensors"),
              HasSubstr("\"__metadata__\":{\"format\":\"pt\"}"));
}

TEST_F(ModelFolder, SeveralWithAnIndexWhereItDoesNot) {
  ASSERT_TRUE(save(dir_ / "a", 5, 1, 2 * kBytes).ok());
  EXPECT_THAT(
      names(dir_ / "a"),
      ElementsAre("config.json", "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                  "model-00003-of-00003.safetensors", "model.safetensors.index.json", "sxbench.json"));
  EXPECT_EQ(loaded(dir_ / "a", 5), 1.0f);
  const Json index = *load_json(dir_ / "a" / "model.safetensors.index.json");
  EXPECT_EQ(index.at("metadata").at("total_size"), 5 * kBytes);
  EXPECT_EQ(index.at("weight_map").at("t4"), "model-00003-of-00003.safetensors");
  // A tensor that is larger than a file may be has one of its own.
  ASSERT_TRUE(save(dir_ / "b", 3, 1, 1).ok());
  EXPECT_EQ(loaded(dir_ / "b", 3), 1.0f);
}

TEST_F(ModelFolder, ReplacesAnEarlierSaveAndNothingElse) {
  const fs::path folder = dir_ / "a";
  ASSERT_TRUE(save(folder, 5, 1, 2 * kBytes).ok());
  std::ofstream(folder / "notes.txt") << "mine";
  EXPECT_TRUE(check_model_folder(folder, 1).ok());
  ASSERT_TRUE(save(folder, 4, 2, 100 * kBytes).ok());
  EXPECT_THAT(names(folder), ElementsAre("config.json", "model.safetensors", "notes.txt", "sxbench.json"));
  EXPECT_EQ(loaded(folder, 4), 2.0f);
  ASSERT_TRUE(save(folder, 5, 3, 2 * kBytes).ok());
  EXPECT_EQ(loaded(folder, 5), 3.0f);
  EXPECT_FALSE(fs::exists(folder / "model.safetensors")) << "transformers would read it before the index";
}

TEST_F(ModelFolder, WhatOthersWroteIsNotReplaced) {
  for (const char* name : {"config.json", "tokenizer.json", "model.safetensors", "pytorch_model.bin",
                           "model-00001-of-00002.safetensors", "model.safetensors.index.json"}) {
    const fs::path folder = dir_ / (std::string("of-") + name);
    fs::create_directories(folder);
    std::ofstream(folder / name) << "theirs";
    const Status status = check_model_folder(folder, 1);
    ASSERT_FALSE(status.ok()) << name;
    EXPECT_THAT(status.error().what, HasSubstr(name));
    EXPECT_EQ(status.error().where, folder.string());
    EXPECT_EQ(status.error().code, ExitCode::kUsage);
    EXPECT_THAT(status.error().help, HasSubstr("--save"));
  }
  fs::create_directories(dir_ / "others" / "lost+found");
  std::ofstream(dir_ / "others" / "notes.txt") << "mine";
  EXPECT_TRUE(check_model_folder(dir_ / "others", 1).ok());
  EXPECT_TRUE(check_model_folder(dir_ / "none" / "of" / "these", 1).ok());
  EXPECT_FALSE(fs::exists(dir_ / "none")) << "checking makes nothing";
  std::ofstream(dir_ / "file") << "x";
  EXPECT_FALSE(check_model_folder(dir_ / "file", 1).ok());
}

TEST_F(ModelFolder, ADiskWithoutRoomIsRefusedWithBothNumbers) {
  const Status status = check_model_folder(dir_ / "new", std::int64_t{1} << 60);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().what, HasSubstr("the weights need 1 EiB, the disk has "));
  EXPECT_EQ(status.error().code, ExitCode::kEnvironment);
}

TEST_F(ModelFolder, OnePutAsideLeavesNothing) {
  {
    auto writer = ModelFolderWriter::begin(dir_ / "a", infos(3), 2 * kBytes);
    ASSERT_TRUE(writer.ok());
    const std::vector<float> data(kNumel, 1.0f);
    ASSERT_TRUE(writer->append(data.data(), kBytes).ok());
    EXPECT_FALSE(SafetensorsReader::open(dir_ / "a").ok());
  }
  EXPECT_TRUE(fs::is_empty(dir_ / "a"));
}

/// No file of this process may grow beyond `bytes`, as if the disk were full then (EFBIG instead of ENOSPC).
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small = {bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallFiles() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_ = {};
  void (*handler_)(int);
};

TEST_F(ModelFolder, AFullDiskLeavesTheEarlierSave) {
  const fs::path folder = dir_ / "a";
  ASSERT_TRUE(save(folder, 5, 1, 2 * kBytes).ok());
  const auto before = names(folder);
  for (const rlim_t room : {rlim_t{4}, rlim_t{100}, rlim_t{kBytes}, rlim_t{2 * kBytes}}) {
    const SmallFiles small(room);
    const Status status = save(folder, 5, 2, 4 * kBytes);
    ASSERT_FALSE(status.ok()) << room;
    EXPECT_EQ(status.error().code, ExitCode::kEnvironment);
    EXPECT_FALSE(status.error().help.empty());
    EXPECT_EQ(names(folder), before) << room;
  }
  EXPECT_EQ(loaded(folder, 5), 1.0f);
}

TEST_F(ModelFolder, CutOffAtAnyMomentItIsOneSaveOrNone) {
  // A child saves one model after the other, with one file and with several in turn, and is killed.
  const fs::path folder = dir_ / "a";
  int whole = 0;
  for (int round = 0; round < 60; ++round) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (int i = 0;; ++i) {
        if (!save(folder, 4, static_cast<float>(i), i % 2 == 0 ? kBytes : 100 * kBytes).ok()) ::_exit(1);
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500 + 791 * round));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "a save failed after a cut";
    if (fs::exists(folder) && loaded(folder, 4)) ++whole;
  }
  // And whatever is left behind, the next save is whole.
  ASSERT_TRUE(check_model_folder(folder, 1).ok());
  ASSERT_TRUE(save(folder, 4, 7, kBytes).ok());
  EXPECT_EQ(loaded(folder, 4), 7.0f);
  std::cout << whole << " of 60 cut-off folders held a whole model\n";
}

}  // namespace
}  // namespace sxb::data
