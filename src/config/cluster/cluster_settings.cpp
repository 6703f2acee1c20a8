// The settings of a cluster file, one row each, and what rows cannot say.
#include "config/cluster/cluster_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/redact.h"
#include "base/text.h"
#include "config/name.h"

namespace sxb::config {
namespace {

constexpr EnumName<TransportKind> kTransports[] = {
    {TransportKind::kAuto, "auto"}, {TransportKind::kLocal, "local"}, {TransportKind::kSsh, "ssh"},
    {TransportKind::kPdsh, "pdsh"}, {TransportKind::kSlurm, "slurm"}, {TransportKind::kDryRun, "dry-run"}};
constexpr EnumName<DeviceKind> kDevices[] = {
    {DeviceKind::kAuto, "auto"}, {DeviceKind::kCpu, "cpu"}, {DeviceKind::kCuda, "cuda"}};

const Table<Nic>& nic_settings() {
  static const Table<Nic> table = [] {
    Table<Nic> t;
    t.text("name", &Nic::name, "mlx5_0, eth0, ...", {.need = Need::kRequired});
    t.number("line_rate_gbps", &Nic::line_rate_gbps, {0.1, 10000}, "one direction",
             {.need = Need::kRequired, .unit = "Gbit/s"});
    return t;
  }();
  return table;
}

const Table<Network>& network_settings() {
  static const Table<Network> table = [] {
    using N = Network;
    Table<N> t;
    t.text("fabric", &N::fabric, "spectrum-x, ethernet, infiniband, none (one machine), ...");
    t.list("nics", &N::nics, nic_settings(),
           "NICs (rails) of every node; without them no verdict against the line rate",
           "[{\"name\": \"mlx5_0\", \"line_rate_gbps\": 400}]");
    t.integer("mtu", &N::mtu, {576, 65535}, "largest packet", {.zero_is_unsaid = true, .unit = "bytes"});
    return t;
  }();
  return table;
}

const Table<GpuFacts>& gpu_settings() {
  static const Table<GpuFacts> table = [] {
    using G = GpuFacts;
    constexpr const char* kAsk = "ask the device";
    Table<G> t;
    t.text("name", &G::name, "as NVML prints it, e.g. NVIDIA H200", {.otherwise = kAsk});
    t.integer("per_node", &G::per_node, {1, 64}, "GPUs per node",
              {.zero_is_unsaid = true, .otherwise = kAsk});
    t.number("memory_gib", &G::memory_gib, {1, 4096}, "memory of each",
             {.zero_is_unsaid = true, .otherwise = kAsk, .unit = "GiB"});
    t.flag("mixed", &G::mixed,
           "nodes may have GPUs of different types; else a task whose ranks have such is an error",
           {.zero_is_unsaid = true});
    return t;
  }();
  return table;
}

/// {"4": 95, "8": 93}: node count -> percent.
void read_scaling_goals(ObjectReader& goals, Goals& out) {
  ObjectReader reader = goals.child("scaling_efficiency_pct");
  for (const auto& item : reader.json().items()) {
    const std::string& key = item.key();
    int nodes = 0;
    const auto [end, ec] = std::from_chars(key.data(), key.data() + key.size(), nodes);
    if (ec != std::errc() || end != key.data() + key.size() || nodes < 1) {
      reader.error(key, fmt::format("\"{}\" is not a node count", key), "write e.g. {\"4\": 95, \"8\": 93}");
      continue;
    }
    reader.number(key.c_str(), out.scaling_efficiency_pct[nodes], 0, 200);
  }
}

void write_scaling_goals(const Goals& goals, Json& object) {
  if (goals.scaling_efficiency_pct.empty()) return;
  Json& scaling = object["scaling_efficiency_pct"];
  for (const auto& [nodes, percent] : goals.scaling_efficiency_pct) scaling[std::to_string(nodes)] = percent;
}

const Table<Goals>& goals_settings() {
  static const Table<Goals> table = [] {
    using G = Goals;
    constexpr Bounds<double> kPercent = {0, 100}, kBandwidth = {0, 1e6};
    Table<G> t;
    t.number("gpu_utilization_pct", &G::gpu_utilization_pct, kPercent,
             "NVML's coarse GPU use of a fine-tuning run, at least", {.unit = "%"});
    t.custom("scaling_efficiency_pct",
             {{"type", "object"},
              {"propertyNames", {{"pattern", "^[1-9][0-9]*$"}}},
              {"additionalProperties", number_schema(0, 200)}},
             "node count -> at least, against the smallest count measured, e.g. {\"4\": 95, \"8\": 93}",
             read_scaling_goals, write_scaling_goals, {.unit = "%", .values = "object"});
    t.number("bandwidth_pct_of_line", &G::bandwidth_pct_of_line, kPercent,
             "what a host sends during the largest all_reduce, of its NICs' line rate, at least",
             {.unit = "%"});
    t.number("busbw_gBps", &G::busbw_gBps, kBandwidth, "bus bandwidth of the largest all_reduce, at least",
             {.unit = "GB/s"});
    t.number("intra_node_busbw_gBps", &G::intra_node_busbw_gBps, kBandwidth,
             "the same within each node alone (sweeps on one node, and --split nodes): the baseline that "
             "every node must have",
             {.unit = "GB/s"});
    return t;
  }();
  return table;
}

constexpr const char* kFileModePattern = "^0?6[046][04]$";

/// The owner writes and the head reads what it wrote; nobody runs a file of a run, and not everybody may
/// change it: a journal says what --resume starts.
void check_file_mode(ObjectReader& reader, const Paths& paths) {
  const std::string& text = paths.file_mode;
  const std::string_view digits = std::string_view(text).substr(text.size() == 4 && text[0] == '0' ? 1 : 0);
  const auto one_of = [&](std::size_t i, std::string_view allowed) {
    return allowed.find(digits[i]) != std::string_view::npos;
  };
  if (text.empty() || (digits.size() == 3 && one_of(0, "6") && one_of(1, "046") && one_of(2, "04"))) return;
  reader.error("file_mode", fmt::format("\"{}\" is no mode for the files of a run", text),
               "three octal digits: 6 for the owner, 0, 4 or 6 for the group, 0 or 4 for others, e.g. 0640");
}

const Table<Paths>& paths_settings() {
  static const Table<Paths> table = [] {
    Table<Paths> t;
    t.text("program", &Paths::program, "path of sxbench on the nodes",
           {.otherwise = "where it is on this machine"});
    t.text("results", &Paths::results, "where run folders go", {.schema = {{"default", kDefaultResults}}});
    t.text("data", &Paths::data, "node-local folder of prepared datasets",
           {.otherwise = "datasets in the cache folder"});
    t.text("file_mode", &Paths::file_mode, "who may read the files of a run, in octal, e.g. 0660, 0644",
           {.zero_is_unsaid = true,
            .otherwise = "0640, or less where the umask says so",
            .values = "0600 to 0664",
            .schema = {{"pattern", kFileModePattern}}});
    t.check(check_file_mode);
    return t;
  }();
  return table;
}

bool is_variable_name(const std::string& name) {
  const auto word = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  return !name.empty() && !std::isdigit(static_cast<unsigned char>(name.front())) &&
         std::all_of(name.begin(), name.end(), word);
}

/// Variables for the ranks: any string, names that a shell accepts.
void environment(Table<Cluster>& t, const char* key, std::map<std::string, std::string> Cluster::*member,
                 const char* help) {
  t.custom(
      key,
      {{"type", "object"},
       {"propertyNames", {{"pattern", "^[A-Za-z_][A-Za-z0-9_]*$"}}},
       {"additionalProperties", {{"type", "string"}}}},
      help, [=](ObjectReader& reader, Cluster& c) { read_environment(reader, key, c.*member); },
      [=](const Cluster& c, Json& object) { object[key] = Json(sxb::redacted(c.*member)); },
      {.values = "object of text"});
}

void check_cluster_name(ObjectReader& reader, const Cluster& cluster) {
  if (cluster.name.empty() || is_name(cluster.name)) return;
  reader.error("name", fmt::format("\"{}\" cannot be part of a folder's name", cluster.name), kNameHelp);
}

}  // namespace

void read_environment(ObjectReader& parent, const char* key, std::map<std::string, std::string>& out) {
  ObjectReader reader = parent.child(key);
  for (const auto& item : reader.json().items()) {
    if (!is_variable_name(item.key())) {
      reader.error(item.key(), fmt::format("\"{}\" is not a variable name", item.key()),
                   "use letters, digits and \"_\", and no digit in front");
    } else if (!item.value().is_string() && is_secret(item.key(), "")) {
      reader.error(item.key(), "expected a string", "put it in double quotes");  // not what stands there
    } else {
      reader.text(item.key().c_str(), out[item.key()]);
    }
  }
}

const Table<Cluster>& cluster_settings() {
  static const Table<Cluster> table = [] {
    using C = Cluster;
    Table<C> t;
    t.editor_schema();
    t.text("name", &C::name, "name in reports and of run folders: letters, digits, - _ .",
           {.need = Need::kRequired, .schema = {{"pattern", kNamePattern}}});
    t.text("description", &C::description, "one line for `sxbench config list`");
    t.choice("transport", &C::transport, kTransports, "how agents are started on the nodes",
             {.flag = "--transport"});
    t.choice("device", &C::device, kDevices, "auto: GPUs where there are some, else the CPU",
             {.flag = "--device"});
    describe_nodes(t);
    t.section("network", &C::network, network_settings(), "what the fabric promises");
    t.section("gpu", &C::gpu, gpu_settings(), "facts of the GPU type, for plans made where no GPU is");
    t.text("nccl_profile", &C::nccl_profile,
           "name of a file in configs/nccl/: single-host, sockets, roce, spectrum-x");
    environment(t, "nccl_env", &C::nccl_env, "variables on top of the profile, for the ranks only");
    environment(t, "env", &C::env, "other variables for the ranks");
    t.section("goals", &C::goals, goals_settings(),
              "thresholds of the verdict table; what is absent is not judged");
    t.section("paths", &C::paths, paths_settings(), "files and folders");
    t.section("rendezvous", &C::rendezvous, rendezvous_settings(),
              "where the ranks of a task find each other");
    t.integer("fanout", &C::fanout, {1, 4096}, "connections that are being set up at a time",
              {.flag = "--fanout"});
    describe_groups(t);
    t.section("ssh", &C::ssh, ssh_settings(),
              "for all nodes; a node's own ssh_* keys come on top of ssh's own config");
    t.section("slurm", &C::slurm, slurm_settings(),
              "for the transport slurm; partition to salloc_options: when sxbench makes the allocation");
    t.section("timeouts", &C::timeouts, timeouts_settings(),
              "waits after which something is called lost; see docs/failures.md");
    t.check(check_cluster_name);
    return t;
  }();
  return table;
}

std::string to_string(TransportKind kind) { return enum_name(kTransports, kind); }
std::string to_string(DeviceKind kind) { return enum_name(kDevices, kind); }

}  // namespace sxb::config
