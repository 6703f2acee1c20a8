#include "data/safetensors.h"

#include <gmock/gmock.h>

#include <cstring>

#include "base/files.h"
#include "temp_dir.h"

namespace sxb::data {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A file made by hand: 8 bytes of header size, the header, the data.
std::string make_file(const std::string& header, const std::string& data) {
  const std::uint64_t size = header.size();
  std::string bytes(sizeof size, '\0');
  std::memcpy(bytes.data(), &size, sizeof size);
  return bytes + header + data;
}

std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape, int begin,
                   int end) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[" + shape + "],\"data_offsets\":[" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

class Safetensors : public TempDir {
 protected:
  Result<SafetensorsReader> open_bytes(const std::string& bytes) {
    (void)write_file_atomic(file_, bytes);
    return SafetensorsReader::open(file_);
  }
  void expect_damaged(const std::string& bytes, const std::string& what) {
    const auto reader = open_bytes(bytes);
    ASSERT_FALSE(reader.ok()) << "expected: " << what;
    EXPECT_THAT(reader.error().what, HasSubstr(what));
    EXPECT_EQ(reader.error().where, file_.string());
    EXPECT_FALSE(reader.error().help.empty());
  }
  fs::path file_ = dir_ / "model.safetensors";
};

TEST_F(Safetensors, ReadsAHandMadeFile) {
  const std::string header = "{\"__metadata__\":{\"format\":\"pt\"}," + tensor("b", "F32", "2", 4, 12) + "," +
                             tensor("a", "BF16", "1,2", 0, 4) + "," + tensor("none", "F32", "0,7", 12, 12) +
                             "}";
  const auto reader = open_bytes(make_file(header, "abcdefghijkl"));
  ASSERT_TRUE(reader.ok()) << format_errors(reader.errors());
  EXPECT_EQ(reader->tensors().size(), 3u);
  const auto b = reader->find("b");
  ASSERT_TRUE(b.ok());
  EXPECT_EQ(b->dtype, "F32");
  EXPECT_EQ(b->shape, (std::vector<std::int64_t>{2}));
  EXPECT_EQ(b->bytes, 8);
  EXPECT_EQ(std::memcmp(b->data, "efghijkl", 8), 0);
  const auto wrong = reader->find("nope");
  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(wrong.error().what, HasSubstr("no tensor \"nope\""));
}

TEST_F(Safetensors, NamesEveryTruncation) {
  const std::string whole = make_file("{" + tensor("a", "F32", "2", 0, 8) + "}", "12345678");
  ASSERT_TRUE(open_bytes(whole).ok());
  expect_damaged(whole.substr(0, whole.size() - 1), "truncated");
  expect_damaged(whole.substr(0, 20), "the header is truncated");
  expect_damaged(whole.substr(0, 7), "too short");
  expect_damaged(whole + "x", "1 bytes follow the last tensor");
}

TEST_F(Safetensors, RefusesBadHeaders) {
  expect_damaged(std::string(16, '\xff'), "header is too large");
  expect_damaged(make_file("{\"a\":", ""), "not a JSON object");
  expect_damaged(make_file("[]", ""), "not a JSON object");
  expect_damaged(make_file("{\"a\":{\"dtype\":\"F32\"}}", ""), "tensor \"a\"");
  expect_damaged(make_file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", "1234"),
                 "two integers");
  expect_damaged(make_file("{" + tensor("a", "F32", "3", 0, 8) + "}", "12345678"), "need 12 bytes");
  expect_damaged(make_file("{" + tensor("a", "F32", "-2", 0, 8) + "}", "12345678"), "data_offsets");
  expect_damaged(make_file("{" + tensor("a", "F32", "2", 8, 0) + "}", "12345678"), "data_offsets");
  expect_damaged(make_file("{" + tensor("a", "F32", "2", -8, 0) + "}", "12345678"), "data_offsets");
  expect_damaged(make_file("{" + tensor("a", "F32", "4294967296,4294967296", 0, 8) + "}", "12345678"),
                 "data_offsets");
  expect_damaged(make_file("{" + tensor("a", "Q4_K", "2", 0, 8) + "}", "12345678"), "dtype Q4_K");
}

TEST_F(Safetensors, RefusesOverlapsAndHoles) {
  expect_damaged(
      make_file("{" + tensor("a", "F32", "2", 0, 8) + "," + tensor("b", "F32", "1", 4, 8) + "}", "12345678"),
      "tensor \"b\" overlaps");
  expect_damaged(make_file("{" + tensor("a", "F32", "1", 0, 4) + "," + tensor("b", "F32", "1", 8, 12) + "}",
                           "123456789012"),
                 "tensor \"b\" leaves a hole");
}

TEST_F(Safetensors, WritesWhatItReads) {
  const std::vector<float> weights = {1.5f, -2.0f, 3.25f};
  const std::vector<std::uint16_t> halves = {0x3f80, 0x4000, 0x4040};
  const std::vector<TensorToWrite> tensors = {{"z.bf16", "BF16", {3}, halves.data(), 6},
                                              {"b.f32", "F32", {1, 3}, weights.data(), 12},
                                              {"a.empty", "F32", {0}, nullptr, 0}};
  ASSERT_TRUE(write_safetensors(file_, tensors).ok());
  const auto reader = SafetensorsReader::open(dir_);
  ASSERT_TRUE(reader.ok()) << format_errors(reader.errors());
  EXPECT_EQ(reader->tensors().size(), 3u);
  const auto f32 = reader->find("b.f32"), bf16 = reader->find("z.bf16");
  ASSERT_TRUE(f32.ok() && bf16.ok());
  EXPECT_EQ(f32->shape, (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(f32->data) % 8, 0u);
  EXPECT_EQ(std::memcmp(f32->data, weights.data(), 12), 0);
  EXPECT_EQ(std::memcmp(bf16->data, halves.data(), 6), 0);
  EXPECT_THAT(*read_file(file_), HasSubstr("\"__metadata__\":{\"format\":\"pt\"}"));
  EXPECT_EQ(reader->find("b.f23").error().help, "did you mean \"b.f32\"?");
}

TEST_F(Safetensors, WriterChecksItsInput) {
  const float x = 1;
  const TensorToWrite good{"a", "F32", {1}, &x, 4};
  auto bad = good;
  bad.bytes = 8;
  EXPECT_FALSE(write_safetensors(file_, {bad}).ok());
  bad = good;
  bad.dtype = "float";
  EXPECT_FALSE(write_safetensors(file_, {bad}).ok());
  EXPECT_THAT(write_safetensors(file_, {good, good}).error().what, HasSubstr("occurs twice"));
  EXPECT_TRUE(fs::is_empty(dir_));
}

class Sharded : public Safetensors {
 protected:
  Sharded() {
    const float x = 1, y = 2;
    (void)write_safetensors(dir_ / "model-00001-of-00002.safetensors", {{"a", "F32", {1}, &x, 4}});
    (void)write_safetensors(dir_ / "model-00002-of-00002.safetensors", {{"b", "F32", {1}, &y, 4}});
  }
  void write_index(const std::string& map) {
    (void)write_file_atomic(dir_ / "model.safetensors.index.json",
                            "{\"metadata\":{\"total_size\":8},\"weight_map\":{" + map + "}}");
  }
};

TEST_F(Sharded, ReadsAllShards) {
  write_index(R"("a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors")");
  const auto reader = SafetensorsReader::open(dir_);
  ASSERT_TRUE(reader.ok()) << format_errors(reader.errors());
  float value = 0;
  std::memcpy(&value, reader->find("b")->data, 4);
  EXPECT_EQ(value, 2);
}

TEST_F(Sharded, NamesWhatTheIndexPromisesInVain) {
  write_index(R"("a":"model-00001-of-00002.safetensors","c":"model-00002-of-00002.safetensors")");
  EXPECT_THAT(SafetensorsReader::open(dir_).error().what, HasSubstr("\"c\" is not in model-00002"));
  write_index(R"("a":"model-00003-of-00002.safetensors")");
  EXPECT_THAT(SafetensorsReader::open(dir_).error().where, HasSubstr("model-00003"));
  write_index(R"("a":"../secret.safetensors")");
  EXPECT_THAT(SafetensorsReader::open(dir_).error().what, HasSubstr("not a plain file name"));
  write_index("");
  EXPECT_THAT(SafetensorsReader::open(dir_).error().what, HasSubstr("weight_map is empty"));
}

TEST_F(Sharded, NamesAFolderWithoutWeights) {
  EXPECT_THAT(SafetensorsReader::open(dir_).error().what, HasSubstr("no safetensors weights"));
}

}  // namespace
}  // namespace sxb::data
