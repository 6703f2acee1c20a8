#include "config/cluster/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>

#include "base/files.h"
#include "base/text.h"
#include "config/cluster/cluster_json.h"

namespace sxb::config {
namespace {

constexpr EnumName<TransportKind> kTransports[] = {
    {TransportKind::kAuto, "auto"}, {TransportKind::kLocal, "local"}, {TransportKind::kSsh, "ssh"},
    {TransportKind::kPdsh, "pdsh"}, {TransportKind::kSlurm, "slurm"}, {TransportKind::kDryRun, "dry-run"}};
constexpr EnumName<DeviceKind> kDevices[] = {
    {DeviceKind::kAuto, "auto"}, {DeviceKind::kCpu, "cpu"}, {DeviceKind::kCuda, "cuda"}};

void read_network(ObjectReader reader, Network& network) {
  reader.text("fabric", network.fabric);
  reader.integer("mtu", network.mtu, 576, 65535);
  if (const Json* nics = reader.find("nics"); nics != nullptr && !nics->is_array()) {
    reader.error("nics", fmt::format("expected an array, found {}", describe(*nics)),
                 "write e.g. [{\"name\": \"mlx5_0\", \"line_rate_gbps\": 400}]");
  } else if (nics != nullptr) {
    for (std::size_t i = 0; i < nics->size(); ++i) {
      ObjectReader entry = reader.element("nics", i);
      Nic nic;
      entry.text("name", nic.name, Need::kRequired);
      entry.number("line_rate_gbps", nic.line_rate_gbps, 0.1, 10000, Need::kRequired);
      entry.finish();
      network.nics.push_back(nic);
    }
  }
  reader.finish();
}

void read_gpu(ObjectReader reader, GpuFacts& gpu) {
  reader.text("name", gpu.name);
  reader.integer("per_node", gpu.per_node, 1, 64);
  reader.number("memory_gib", gpu.memory_gib, 1, 4096);
  reader.flag("mixed", gpu.mixed);
  reader.finish();
}

void read_percent(ObjectReader& reader, const char* key, std::optional<double>& out, double max) {
  if (reader.find(key) == nullptr) return;
  double value = -1;
  reader.number(key, value, 0, max);
  if (value >= 0) out = value;
}

/// {"4": 95, "8": 93}: node count -> percent.
void read_scaling_goals(ObjectReader reader, std::map<int, double>& out) {
  for (const auto& item : reader.json().items()) {
    const std::string& key = item.key();
    int nodes = 0;
    const auto [end, ec] = std::from_chars(key.data(), key.data() + key.size(), nodes);
    if (ec != std::errc() || end != key.data() + key.size() || nodes < 1) {
      reader.error(key, fmt::format("\"{}\" is not a node count", key), "write e.g. {\"4\": 95, \"8\": 93}");
      continue;
    }
    reader.number(key.c_str(), out[nodes], 0, 200);
  }
}

void read_goals(ObjectReader reader, Goals& goals) {
  read_percent(reader, "gpu_utilization_pct", goals.gpu_utilization_pct, 100);
  read_scaling_goals(reader.child("scaling_efficiency_pct"), goals.scaling_efficiency_pct);
  read_percent(reader, "bandwidth_pct_of_line", goals.bandwidth_pct_of_line, 100);
  read_percent(reader, "busbw_gBps", goals.busbw_gBps, 1e6);
  read_percent(reader, "intra_node_busbw_gBps", goals.intra_node_busbw_gBps, 1e6);
  reader.finish();
}

Json goals_to_json(const Goals& goals) {
  Json json = Json::object();
  if (goals.gpu_utilization_pct) json["gpu_utilization_pct"] = *goals.gpu_utilization_pct;
  if (!goals.scaling_efficiency_pct.empty()) {
    Json& scaling = json["scaling_efficiency_pct"];
    for (const auto& [nodes, percent] : goals.scaling_efficiency_pct)
      scaling[std::to_string(nodes)] = percent;
  }
  if (goals.bandwidth_pct_of_line) json["bandwidth_pct_of_line"] = *goals.bandwidth_pct_of_line;
  if (goals.busbw_gBps) json["busbw_gBps"] = *goals.busbw_gBps;
  if (goals.intra_node_busbw_gBps) json["intra_node_busbw_gBps"] = *goals.intra_node_busbw_gBps;
  return json;
}

Json network_to_json(const Network& network) {
  Json nics = Json::array();
  for (const Nic& nic : network.nics)
    nics.push_back({{"name", nic.name}, {"line_rate_gbps", nic.line_rate_gbps}});
  Json json = {{"fabric", network.fabric}, {"nics", nics}};
  if (network.mtu != 0) json["mtu"] = network.mtu;
  return json;
}

/// Zero means "ask the device" in the struct and is left out of the JSON.
Json gpu_to_json(const GpuFacts& gpu) {
  Json json = {{"name", gpu.name}};
  if (gpu.per_node != 0) json["per_node"] = gpu.per_node;
  if (gpu.memory_gib != 0) json["memory_gib"] = gpu.memory_gib;
  if (gpu.mixed) json["mixed"] = true;
  return json;
}

bool is_variable_name(const std::string& name) {
  const auto word = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  return !name.empty() && !std::isdigit(static_cast<unsigned char>(name.front())) &&
         std::all_of(name.begin(), name.end(), word);
}

}  // namespace

double Network::line_rate_gbps() const {
  double sum = 0;
  for (const Nic& nic : nics) sum += nic.line_rate_gbps;
  return sum;
}

void read_environment(ObjectReader& parent, const char* key, std::map<std::string, std::string>& out) {
  ObjectReader reader = parent.child(key);
  for (const auto& item : reader.json().items()) {
    if (!is_variable_name(item.key())) {
      reader.error(item.key(), fmt::format("\"{}\" is not a variable name", item.key()),
                   "use letters, digits and \"_\", and no digit in front");
    } else {
      reader.text(item.key().c_str(), out[item.key()]);
    }
  }
}

Result<Cluster> parse_cluster(const Json& json, const std::string& where) {
  Errors errors;
  Cluster cluster;
  ObjectReader reader(json, where, "", errors);
  std::string schema;  // for editors only
  reader.text("$schema", schema);
  reader.text("name", cluster.name, Need::kRequired);
  reader.text("description", cluster.description);
  reader.choice("transport", cluster.transport, kTransports);
  reader.choice("device", cluster.device, kDevices);
  read_groups(reader.child("groups"), cluster.groups);
  read_nodes(reader, cluster.transport, cluster.device, cluster.groups, cluster.nodes);
  read_network(reader.child("network"), cluster.network);
  read_gpu(reader.child("gpu"), cluster.gpu);
  reader.text("nccl_profile", cluster.nccl_profile);
  read_environment(reader, "nccl_env", cluster.nccl_env);
  read_environment(reader, "env", cluster.env);
  read_goals(reader.child("goals"), cluster.goals);
  cluster.paths = {"", "results", (cache_dir() / "datasets").string()};
  ObjectReader paths = reader.child("paths");
  paths.text("program", cluster.paths.program);
  paths.text("results", cluster.paths.results);
  paths.text("data", cluster.paths.data);
  paths.finish();
  read_rendezvous(reader.child("rendezvous"), cluster.rendezvous);
  reader.integer("fanout", cluster.fanout, 1, 4096);
  read_ssh(reader.child("ssh"), cluster.ssh);
  read_slurm(reader.child("slurm"), cluster.slurm);
  read_timeouts(reader.child("timeouts"), cluster.timeouts);
  reader.finish();
  if (!errors.empty()) return errors;
  cluster.source = where;
  return cluster;
}

Json to_json(const Cluster& cluster) {
  return {{"name", cluster.name},
          {"description", cluster.description},
          {"transport", to_string(cluster.transport)},
          {"device", to_string(cluster.device)},
          {"nodes", nodes_to_json(cluster.nodes)},
          {"network", network_to_json(cluster.network)},
          {"gpu", gpu_to_json(cluster.gpu)},
          {"nccl_profile", cluster.nccl_profile},
          {"nccl_env", Json(cluster.nccl_env)},
          {"env", Json(cluster.env)},
          {"goals", goals_to_json(cluster.goals)},
          {"paths",
           {{"program", cluster.paths.program},
            {"results", cluster.paths.results},
            {"data", cluster.paths.data}}},
          {"rendezvous", rendezvous_to_json(cluster.rendezvous)},
          {"fanout", cluster.fanout},
          {"groups", groups_to_json(cluster.groups)},
          {"ssh", ssh_to_json(cluster.ssh)},
          {"slurm", slurm_to_json(cluster.slurm)},
          {"timeouts", to_json(cluster.timeouts)}};
}

std::string to_string(TransportKind kind) { return enum_name(kTransports, kind); }
std::string to_string(DeviceKind kind) { return enum_name(kDevices, kind); }

Result<TransportKind> parse_transport(const std::string& text, const std::string& where) {
  return parse_enum(kTransports, text, where);
}
Result<DeviceKind> parse_device(const std::string& text, const std::string& where) {
  return parse_enum(kDevices, text, where);
}

}  // namespace sxb::config
