// The names that nccl-tests gives to element types and operators.
#include <array>
#include <type_traits>

#include "base/text.h"
#include "engine/comm/communicator.h"

namespace sxb::engine::comm {
namespace {

template <typename T>
struct Named {
  const char* name;
  T value;
};

constexpr std::array<Named<DType>, 12> kDTypes = {{{"int8", DType::kInt8},
                                                   {"uint8", DType::kUint8},
                                                   {"int32", DType::kInt32},
                                                   {"uint32", DType::kUint32},
                                                   {"int64", DType::kInt64},
                                                   {"uint64", DType::kUint64},
                                                   {"half", DType::kFloat16},
                                                   {"float", DType::kFloat32},
                                                   {"double", DType::kFloat64},
                                                   {"bfloat16", DType::kBFloat16},
                                                   {"f8e4m3", DType::kFloat8E4M3},
                                                   {"f8e5m2", DType::kFloat8E5M2}}};

constexpr std::array<Named<RedOp>, 6> kRedOps = {{{"sum", RedOp::kSum},
                                                  {"prod", RedOp::kProd},
                                                  {"max", RedOp::kMax},
                                                  {"min", RedOp::kMin},
                                                  {"avg", RedOp::kAvg},
                                                  {"mulsum", RedOp::kMulSum}}};

template <typename Table>
auto values_of(const Table& table) {
  std::vector<std::remove_cv_t<decltype(table.front().value)>> values;
  for (const auto& entry : table) values.push_back(entry.value);
  return values;
}

template <typename Table>
auto parse(const Table& table, const std::string& name, const std::string& flag) {
  std::vector<std::string> known;
  for (const auto& entry : table) {
    if (name == entry.name) return entry.value;
    known.emplace_back(entry.name);
  }
  throw EngineError(flag + " \"" + name + "\" is not known", "bad_argument", suggest(name, known),
                    ExitCode::kUsage);
}

template <typename Table, typename T>
const char* name_of(const Table& table, T value) {
  for (const auto& entry : table) {
    if (entry.value == value) return entry.name;
  }
  return "?";
}

}  // namespace

DType parse_dtype(const std::string& name) { return parse(kDTypes, name, "data type (-d)"); }
const char* dtype_name(DType dtype) { return name_of(kDTypes, dtype); }
RedOp parse_redop(const std::string& name) { return parse(kRedOps, name, "reduction operator (-o)"); }
const char* redop_name(RedOp op) { return name_of(kRedOps, op); }

const std::vector<DType>& all_dtypes() {
  static const std::vector<DType> list = values_of(kDTypes);
  return list;
}
const std::vector<RedOp>& all_redops() {
  static const std::vector<RedOp> list = values_of(kRedOps);
  return list;
}

}  // namespace sxb::engine::comm
