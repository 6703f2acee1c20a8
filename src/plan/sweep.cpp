#include "plan/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "base/text.h"
#include "plan/collectives.h"
#include "plan/limits.h"

namespace sxb::plan {
namespace {

using config::ObjectReader;

using limits::kMaxIterations, limits::kMaxRanks, limits::kMaxSweepBytes;

struct Operator {
  const char* name;
  const char* sign;  ///< nccl-tests takes both
};
constexpr Operator kOperators[] = {{"AND", "&"}, {"OR", "|"}, {"MOD", "%"}, {"DIV", "/"}};

/// Decimal, 0x... or 0b..., as nccl-tests reads it; nullopt if it is none, or negative.
std::optional<int> parse_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) base = 16;
  if (text.starts_with("0b") || text.starts_with("0B")) base = 2;
  if (base != 10) text.remove_prefix(2);
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

Error bad_split(const std::string& split) {
  return {fmt::format("\"{}\" splits nothing", split), "--split",
          "use rails, nodes or pairs, or as NCCL_TESTS_SPLIT: \"MOD 8\", \"DIV 8\", \"AND 0x7\", \"OR 0x7\""};
}

/// [[bytes, ...], ...]
void read_matrix(ObjectReader& reader, TrafficMatrix& matrix) {
  constexpr const char* kKey = "alltoallv_matrix";
  const Json* json = reader.find(kKey);
  if (json == nullptr) return;
  const auto is_row = [&](const Json& row) {
    return row.is_array() && row.size() == json->size() &&
           std::all_of(row.begin(), row.end(), [](const Json& value) {
             return value.is_number_integer() && value.get<std::int64_t>() >= 0;
           });
  };
  if (!json->is_array() || !std::all_of(json->begin(), json->end(), is_row)) {
    return reader.error(kKey, "no square array of bytes", "use sxbench nccl --alltoallv-matrix FILE");
  }
  matrix.rows = json->get<std::vector<std::vector<std::int64_t>>>();
}

}  // namespace

void read_sweep(ObjectReader reader, CollectiveSweep& sweep) {
  reader.text("collective", sweep.collective);
  reader.integer("min_bytes", sweep.min_bytes, 0, kMaxSweepBytes);
  reader.integer("max_bytes", sweep.max_bytes, 0, kMaxSweepBytes);
  reader.integer("step_factor", sweep.step_factor, 0, kMaxSweepBytes);
  reader.integer("step_bytes", sweep.step_bytes, 0, kMaxSweepBytes);
  reader.integer("iterations", sweep.iterations, 1, kMaxIterations);
  reader.integer("warmup", sweep.warmup, 0, kMaxIterations);
  reader.integer("check", sweep.check, 0, kMaxIterations);
  reader.text("dtype", sweep.dtype);
  reader.text("redop", sweep.redop);
  reader.integer("agg_iterations", sweep.agg_iterations, 1, kMaxIterations);
  reader.integer("root", sweep.root, -1, kMaxRanks);
  reader.integer("blocking", sweep.blocking, 0, 3);
  reader.integer("graph_launches", sweep.graph_launches, 0, kMaxIterations);
  reader.integer("registration", sweep.registration, 0, 2);
  reader.integer("cta_policy", sweep.cta_policy, -1, 2);
  reader.integer("average", sweep.average, 0, 3);
  reader.integer("timeout_s", sweep.timeout_s, 0, std::numeric_limits<int>::max());
  reader.flag("timestamps", sweep.timestamps);
  reader.integer("per_iteration", sweep.per_iteration, 0, 1);
  reader.integer("per_iteration_skip", sweep.per_iteration_skip, 0, kMaxIterations);
  reader.integer("unalign", sweep.unalign, 0, kMaxIterations);
  reader.text("split", sweep.split);
  reader.number("alltoallv_spread", sweep.spread, 0, 1);
  read_matrix(reader, sweep.matrix);
  reader.finish();
}

Json to_json(const CollectiveSweep& sweep) {
  Json json = {{"collective", sweep.collective}, {"min_bytes", sweep.min_bytes},
               {"max_bytes", sweep.max_bytes},   {"step_factor", sweep.step_factor},
               {"step_bytes", sweep.step_bytes}, {"iterations", sweep.iterations},
               {"warmup", sweep.warmup},         {"check", sweep.check},
               {"dtype", sweep.dtype},           {"redop", sweep.redop}};
  const CollectiveSweep usual;
  // The ids of plans that use none of these must stay what they were.
  const auto put = [&](const char* key, const auto& value, const auto& normal) {
    if (value != normal) json[key] = value;
  };
  put("agg_iterations", sweep.agg_iterations, usual.agg_iterations);
  put("root", sweep.root, usual.root);
  put("blocking", sweep.blocking, usual.blocking);
  put("graph_launches", sweep.graph_launches, usual.graph_launches);
  put("registration", sweep.registration, usual.registration);
  put("cta_policy", sweep.cta_policy, usual.cta_policy);
  put("average", sweep.average, usual.average);
  put("timeout_s", sweep.timeout_s, usual.timeout_s);
  put("timestamps", sweep.timestamps, usual.timestamps);
  put("per_iteration", sweep.per_iteration, usual.per_iteration);
  put("per_iteration_skip", sweep.per_iteration_skip, usual.per_iteration_skip);
  put("unalign", sweep.unalign, usual.unalign);
  put("split", sweep.split, usual.split);
  put("alltoallv_spread", sweep.spread, usual.spread);
  if (!sweep.matrix.empty()) json["alltoallv_matrix"] = sweep.matrix.rows;
  return json;
}

Result<CollectiveSweep> parse_sweep(const Json& json, const std::string& where) {
  Errors errors;
  CollectiveSweep sweep;
  read_sweep(ObjectReader(json, where, "", errors), sweep);
  if (!errors.empty()) return errors;
  return sweep;
}

const std::vector<std::string>& collective_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const CollectiveKind& kind : collective_kinds()) list.emplace_back(kind.name);
    return list;
  }();
  return names;
}

const std::vector<std::string>& dtype_names() {
  static const std::vector<std::string> names = {"int8", "uint8", "int32",  "uint32",   "int64",  "uint64",
                                                 "half", "float", "double", "bfloat16", "f8e4m3", "f8e5m2"};
  return names;
}

const std::vector<std::string>& redop_names() {
  static const std::vector<std::string> names = {"sum", "prod", "max", "min", "avg", "mulsum"};
  return names;
}

std::vector<std::int64_t> sizes_of(const CollectiveSweep& sweep) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t size = sweep.min_bytes; size <= sweep.max_bytes;) {
    sizes.push_back(size);
    // The next one may overflow, or be no larger where the sweep was never validated.
    if (sweep.step_bytes > 0 ? size > sweep.max_bytes - sweep.step_bytes
                             : sweep.step_factor < 2 || size > sweep.max_bytes / sweep.step_factor)
      break;
    size = sweep.step_bytes > 0 ? size + sweep.step_bytes : size * sweep.step_factor;
  }
  return sizes;
}

bool has_redop(const std::string& collective) {
  const CollectiveKind* kind = find_collective_kind(collective);
  return kind != nullptr && kind->reduces;
}

bool has_root(const std::string& collective) {
  const CollectiveKind* kind = find_collective_kind(collective);
  return kind != nullptr && kind->rooted;
}

int dtype_bytes(const std::string& dtype) {
  if (dtype == "int8" || dtype == "uint8" || dtype == "f8e4m3" || dtype == "f8e5m2") return 1;
  if (dtype == "half" || dtype == "bfloat16") return 2;
  if (dtype == "int32" || dtype == "uint32" || dtype == "float") return 4;
  if (dtype == "int64" || dtype == "uint64" || dtype == "double") return 8;
  return 0;
}

Result<int> split_color(const std::string& split, const RankPlace& place) {
  if (split.empty()) return 0;
  if (split == "rails") return place.local_rank;
  if (split == "nodes") return place.node_rank;
  if (split == "pairs") return place.node_rank / 2;
  for (const Operator& op : kOperators) {
    const bool word = upper(split).starts_with(op.name);
    if (!word && !split.starts_with(op.sign)) continue;
    const std::string_view rest = std::string_view(split).substr(word ? std::string_view(op.name).size() : 1);
    const std::optional<int> value = parse_number(trim(rest));
    const bool divides = op.sign[0] == '%' || op.sign[0] == '/';
    if (!value || (divides && *value == 0)) return bad_split(split);
    switch (op.sign[0]) {
      case '&':
        return place.rank & *value;
      case '|':
        return place.rank | *value;
      case '%':
        return place.rank % *value;
      default:
        return place.rank / *value;
    }
  }
  return bad_split(split);
}

}  // namespace sxb::plan
