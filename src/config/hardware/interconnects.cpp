#include <algorithm>

#include "base/files.h"
#include "config/hardware/hardware.h"
#include "config/hardware/sourced.h"

namespace sxb::config {
namespace {

/// Reads the figures of one object of the file; `found` collects their sources.
class FigureReader {
 public:
  FigureReader(ObjectReader reader, const Sources& sources, std::map<std::string, std::string>& found)
      : reader_(std::move(reader)), sources_(sources), found_(found) {}
  void figure(const char* key, double& out, double min, double max) {
    sources_.figure(reader_, key, out, min, max, Need::kRequired, found_, reader_.pointer(key));
  }
  void share(const char* key, double& out) { figure(key, out, 0, 1); }
  void microseconds(const char* key, double& out) { figure(key, out, 0, 1e6); }
  void collectives(std::vector<CollectiveShare>& out) {
    for_each("collectives", [&](ObjectReader entry) {
      CollectiveShare share;
      entry.text("name", share.name, Need::kRequired);
      entry.number("share", share.share, 0, 1, Need::kRequired);
      optional_share(entry, "pass", share.pass);
      optional_share(entry, "warn", share.warn);
      share.source = sources_.text(entry);
      entry.finish();
      out.push_back(std::move(share));
    });
  }
  template <typename Read>
  void for_each(const char* key, const Read& read) {
    const Json* array = reader_.find(key);
    if (array == nullptr || !array->is_array()) {
      reader_.error(key, "an array is missing here", "see configs/hardware/interconnects.json of sxbench");
      return;
    }
    for (std::size_t i = 0; i < array->size(); ++i) read(reader_.element(key, i));
  }
  ObjectReader& reader() { return reader_; }
  FigureReader child(const char* key) { return {reader_.child(key), sources_, found_}; }
  FigureReader of(ObjectReader reader) { return {std::move(reader), sources_, found_}; }

 private:
  static void optional_share(ObjectReader& reader, const char* key, std::optional<double>& out) {
    if (reader.find(key) == nullptr) return;
    reader.number(key, out.emplace(), 0, 1);
  }

  ObjectReader reader_;
  const Sources& sources_;
  std::map<std::string, std::string>& found_;
};

void read_node(FigureReader reader, NodePath& node) {
  reader.share("ring_share", node.ring_share);
  reader.share("reduction_share", node.reduction_share);
  reader.microseconds("ramp_us", node.ramp_us);
  reader.microseconds("base_us", node.base_us);
  reader.microseconds("ring_hop_us", node.ring_hop_us);
  reader.microseconds("tree_hop_us", node.tree_hop_us);
  reader.collectives(node.collectives);
  reader.reader().finish();
}

NetworkPath read_network(FigureReader reader) {
  NetworkPath path;
  if (const Json* fabrics = reader.reader().find("fabrics"); fabrics != nullptr && fabrics->is_array()) {
    for (const Json& fabric : *fabrics) {
      if (fabric.is_string()) path.fabrics.push_back(fabric.get<std::string>());
    }
  }
  if (path.fabrics.empty())
    reader.reader().error("fabrics", "no fabric is named",
                          "write e.g. [\"spectrum-x\"], the values of network.fabric");
  reader.share("payload_share", path.payload_share);
  reader.microseconds("ramp_us", path.ramp_us);
  reader.microseconds("ring_hop_us", path.ring_hop_us);
  reader.microseconds("tree_hop_us", path.tree_hop_us);
  reader.collectives(path.collectives);
  reader.reader().finish();
  return path;
}

void read_pcie(FigureReader reader, const Sources& sources, Interconnects& out) {
  reader.for_each("lanes_gBps", [&](ObjectReader entry) {
    int generation = 0;
    double value = 0;
    entry.integer("generation", generation, 1, 9, Need::kRequired);
    entry.number("value", value, 0, 100, Need::kRequired);
    out.sources[entry.pointer("value")] = sources.text(entry);
    entry.finish();
    out.pcie_lane_gBps[generation] = value;
  });
  reader.share("copy_share", out.pcie_copy_share);
  reader.reader().finish();
}

void read_thresholds(FigureReader reader, Thresholds& out) {
  reader.figure("judged_from_bytes", out.judged_from_bytes, 1, 1e15);
  reader.share("pass", out.pass);
  reader.share("warn", out.warn);
  reader.share("small_pass", out.small_pass);
  reader.share("small_warn", out.small_warn);
  reader.figure("cv_pct", out.cv_pct, 0, 1000);
  reader.figure("small_cv_pct", out.small_cv_pct, 0, 1000);
  reader.figure("rank_spread_pct", out.rank_spread_pct, 0, 1000);
  reader.share("nic_lag_share", out.nic_lag_share);
  reader.reader().finish();
}

}  // namespace

const NetworkPath* Interconnects::network(const std::string& fabric) const {
  for (const NetworkPath& path : networks) {
    if (std::find(path.fabrics.begin(), path.fabrics.end(), fabric) != path.fabrics.end()) return &path;
  }
  return nullptr;
}

double Interconnects::pcie_gBps(double generation, double lanes) const {
  const auto it = pcie_lane_gBps.find(static_cast<int>(generation));
  return it == pcie_lane_gBps.end() ? 0 : it->second * lanes;
}

const CollectiveShare* find_share(const std::vector<CollectiveShare>& shares, const std::string& name) {
  const auto it = std::find_if(shares.begin(), shares.end(),
                               [&](const CollectiveShare& share) { return share.name == name; });
  return it == shares.end() ? nullptr : &*it;
}

Result<Interconnects> parse_interconnects(const Json& json, const std::string& where) {
  Errors errors;
  Interconnects out;
  Sources sources;
  FigureReader reader(ObjectReader(json, where, "", errors), sources, out.sources);
  std::string schema;
  reader.reader().text("$schema", schema);
  sources.read_kinds(reader.reader().child("sources"));
  read_node(reader.child("node"), out.node);
  reader.for_each("networks", [&](ObjectReader entry) {
    out.networks.push_back(read_network(reader.of(std::move(entry))));
  });
  read_pcie(reader.child("pcie"), sources, out);
  read_thresholds(reader.child("verdicts"), out.thresholds);
  reader.reader().finish();
  if (!errors.empty()) return errors;
  return out;
}

Result<Interconnects> load_interconnects() {
  const std::filesystem::path own = user_config_dir() / "hardware" / "interconnects.json";
  std::error_code ec;
  const std::filesystem::path path =
      std::filesystem::exists(own, ec) ? own : shipped_configs_dir() / "hardware" / "interconnects.json";
  SXB_ASSIGN_OR_RETURN(const Json json, load_json(path));
  return parse_interconnects(json, path.string());
}

}  // namespace sxb::config
