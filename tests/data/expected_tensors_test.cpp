#include "data/expected_tensors.h"

#include <gmock/gmock.h>

#include "data/safetensors_writer.h"
#include "temp_dir.h"

namespace sxb::data {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ExpectedTensors : public TempDir {
 protected:
  /// What check_tensors() says of weights with these tensors, all zeros.
  Errors errors_of(const std::vector<TensorInfo>& tensors) {
    const auto file = dir_ / "model.safetensors";
    auto writer = SafetensorsWriter::create(file, tensors);
    EXPECT_TRUE(writer.ok());
    const std::string zeros(static_cast<std::size_t>(writer->bytes_left()), '\0');
    EXPECT_TRUE(writer->append(zeros.data(), writer->bytes_left()).ok());
    EXPECT_TRUE(writer->close().ok());
    const auto reader = SafetensorsReader::open(file);
    EXPECT_TRUE(reader.ok()) << format_errors(reader.errors());
    const TensorShapes expected = {{"norm", {4}}, {"head", {8, 4}}};
    return check_tensors(*reader, expected, "W", "m").errors();
  }
};

TEST_F(ExpectedTensors, TakesExactlyTheModels) {
  EXPECT_TRUE(errors_of({{"norm", "BF16", {4}}, {"head", "F32", {8, 4}}}).empty());
  EXPECT_TRUE(errors_of({{"norm", "F16", {4}},
                         {"head", "F32", {8, 4}},
                         {"model.layers.0.self_attn.rotary_emb.inv_freq", "F32", {2}}})
                  .empty())
      << "old checkpoints hold it";
}

TEST_F(ExpectedTensors, NamesWhatIsMissing) {
  const Errors errors = errors_of({{"norm", "BF16", {4}}});
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].what, "the weights lack 1 of the 2 tensors of model m: \"head\"");
  EXPECT_EQ(errors[0].where, "W");
  EXPECT_EQ(errors[0].code, ExitCode::kUsage);
  EXPECT_THAT(errors[0].help, HasSubstr("--models"));
}

TEST_F(ExpectedTensors, NamesWhatWouldBeLeftOut) {
  const Errors errors = errors_of({{"norm", "F32", {4}},
                                   {"head", "F32", {8, 4}},
                                   {"q.bias", "F32", {4}},
                                   {"k.bias", "F32", {4}},
                                   {"v.bias", "F32", {4}},
                                   {"z\x1b.bias", "F32", {4}}});
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_THAT(errors[0].what, AllOf(HasSubstr("hold 4 tensors that model m does not have"),
                                    HasSubstr("\"k.bias\", \"q.bias\", \"v.bias\" and 1 more")));
}

TEST_F(ExpectedTensors, NamesOtherShapesAndTypes) {
  const Errors shape = errors_of({{"norm", "F32", {4}}, {"head", "F32", {4, 8}}});
  ASSERT_EQ(shape.size(), 1u);
  EXPECT_EQ(shape[0].what, "tensor head is 4x8, the config of model m says 8x4");
  const Errors type = errors_of({{"norm", "I32", {4}}, {"head", "F32", {8, 4}}});
  ASSERT_EQ(type.size(), 1u);
  EXPECT_EQ(type[0].what, "tensor norm has type I32, expected F32, BF16 or F16");
}

}  // namespace
}  // namespace sxb::data
