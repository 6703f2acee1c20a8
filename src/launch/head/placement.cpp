#include "launch/head/placement.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <thread>

#include "base/build_info.h"
#include "base/files.h"
#include "base/units.h"
#include "config/hardware/hardware.h"
#include "launch/transport/transports.h"

namespace sxb::launch {
namespace {

using config::DeviceKind;

/// GPU indices of a node: as the config says, else the first ones.
Result<std::vector<int>> node_gpus(const config::Cluster& cluster, std::size_t i,
                                   const Placement& placement) {
  const config::Node& node = cluster.nodes[i];
  const std::string where = fmt::format("{}:/nodes/{}/gpus", cluster.source, i);
  std::vector<int> gpus = node.gpus;
  if (gpus.empty()) {
    gpus.resize(static_cast<std::size_t>(plan::ranks_on(cluster, node, placement.facts)));
    std::iota(gpus.begin(), gpus.end(), 0);
  }
  if (gpus.empty()) {
    return Error{
        fmt::format("it is not known how many GPUs node {} has", node.name), where,
        "set \"gpu\": {\"per_node\": N} in the cluster config; in a hostfile add slots=N to its line"};
  }
  for (const int gpu : gpus) {
    if (!placement.local || (gpu >= 0 && gpu < placement.facts.gpus_per_node)) continue;
    return Error{fmt::format("node {} owns GPU {}, this machine has {} GPUs, counted from 0", node.name, gpu,
                             placement.facts.gpus_per_node),
                 where, "name GPUs that nvidia-smi lists, or choose another cluster with --cluster",
                 ExitCode::kEnvironment};
  }
  return gpus;
}

/// Where nodes prepare datasets: as the cluster says, else where this machine would, which most share with
/// them. Decided here and not in the config, which would differ with each user's home.
std::string data_dir_of(const config::Cluster& cluster) {
  if (!cluster.paths.data.empty() || cache_dir() == private_cache_dir()) return cluster.paths.data;
  return (cache_dir() / "datasets").string();
}

Status refuse_shared_gpus(const config::Cluster& cluster, const Placement& placement) {
  std::map<int, std::string> owner;
  for (const NodePlacement& node : placement.nodes) {
    for (const int gpu : node.gpus) {
      const auto [it, fresh] = owner.emplace(gpu, node.node.name);
      if (fresh) continue;
      return Error{
          fmt::format("nodes {} and {} both own GPU {} of this machine", it->second, node.node.name, gpu),
          cluster.source + ":/nodes", "give each local node its own \"gpus\", or \"device\": \"cpu\""};
    }
  }
  return ok_status();
}

/// Peak of the GPU type; none for a type that the hardware table does not know.
Status find_peak(const config::Cluster& cluster, const Machine& machine, Placement& placement) {
  std::string name = cluster.gpu.name;
  // One that is lost has no name; the agent says so before ranks start.
  const auto known = std::find_if(machine.gpus.begin(), machine.gpus.end(),
                                  [](const metrics::Gpu& gpu) { return !gpu.name.empty(); });
  const bool local = placement.local && known != machine.gpus.end();
  if (local) name = known->name;
  SXB_ASSIGN_OR_RETURN(const auto hardware, config::find_gpu(name));
  const double memory_gib = cluster.gpu.memory_gib > 0 ? cluster.gpu.memory_gib
                            : hardware                 ? hardware->memory_gib
                                                       : 0;
  placement.facts.memory_bytes = static_cast<std::int64_t>(memory_gib * static_cast<double>(kGiB));
  if (local) placement.facts.memory_bytes = known->memory_bytes;
  if (hardware) placement.peak_tflops = hardware->bf16_dense_tflops;
  return ok_status();
}

}  // namespace

std::string checkpoint_dir(const plan::Task& task, const std::string& run_id) {
  const config::Checkpoint& checkpoint = task.model.training.checkpoint;
  if (task.phase != plan::Phase::kSft || !checkpoint.on()) return "";
  return (std::filesystem::path(checkpoint.folder) / run_id / task.id).string();
}

int Placement::world(int nodes_used) const {
  int ranks = 0;
  for (int i = 0; i < nodes_used; ++i) ranks += nodes[static_cast<std::size_t>(i)].ranks;
  return ranks;
}

std::vector<plan::RankPlace> Placement::places(int nodes_used) const {
  std::vector<plan::RankPlace> places;
  for (int node = 0; node < nodes_used; ++node) {
    for (int slot = 0; slot < nodes[static_cast<std::size_t>(node)].ranks; ++slot) {
      places.push_back({static_cast<int>(places.size()), slot, node});
    }
  }
  return places;
}

Machine this_machine() {
  Machine machine;
  machine.gpus = metrics::list_gpus();
  machine.cpus = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  machine.memory_bytes = std::int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGE_SIZE);
  return machine;
}

Result<Placement> resolve_placement(const config::Cluster& cluster, const Machine& machine) {
  Placement placement;
  placement.local = reaches_only_this_machine(cluster);
  plan::DeviceFacts& facts = placement.facts;
  facts.cuda = cluster.device == DeviceKind::kCuda ||
               (cluster.device == DeviceKind::kAuto && (!placement.local || !machine.gpus.empty()));
  if (facts.cuda && placement.local && machine.gpus.empty()) {
    return Error{"this machine has no NVIDIA GPU that its driver shows", cluster.source + ":/device",
                 "check nvidia-smi, or set \"device\": \"cpu\"", ExitCode::kEnvironment};
  }
  facts.gpus_per_node = facts.cuda && placement.local ? static_cast<int>(machine.gpus.size()) : 0;
  // Two ranks on a machine of its own, so that collectives move data; one on each pretended node.
  facts.cpu_slots = cluster.nodes.size() == 1 ? std::min(2, machine.cpus) : 1;
  facts.memory_bytes = machine.memory_bytes;
  for (std::size_t i = 0; i < cluster.nodes.size(); ++i) {
    NodePlacement node;
    node.node = cluster.nodes[i];
    if (facts.cuda) {
      SXB_ASSIGN_OR_RETURN(node.gpus, node_gpus(cluster, i, placement));
      node.ranks = static_cast<int>(node.gpus.size());
    } else {
      node.ranks = plan::ranks_on(cluster, node.node, facts);
    }
    placement.nodes.push_back(std::move(node));
  }
  if (facts.cuda) {
    if (placement.local) SXB_RETURN_IF_ERROR(refuse_shared_gpus(cluster, placement));
    SXB_RETURN_IF_ERROR(find_peak(cluster, machine, placement));
  } else {
    const int all = placement.world(static_cast<int>(placement.nodes.size()));
    placement.cpu_threads =
        std::max(1, machine.cpus / std::max(1, placement.local ? all : placement.nodes.front().ranks));
  }
  return placement;
}

AgentTasks::AgentTasks(const config::Cluster& cluster, const Placement& placement, const plan::Task& task,
                       const TaskSettings& settings, int port, std::string token)
    : cluster_(cluster),
      placement_(placement),
      task_(task),
      settings_(settings),
      ranks_(plan::ranks_of(cluster, task.nodes, placement.facts)),
      host_(cluster.rendezvous.host),
      port_(port),
      token_(std::move(token)) {
  if (host_.empty()) host_ = placement.local ? "127.0.0.1" : placement.nodes.front().node.host;
}

AgentTask AgentTasks::operator[](int node_rank) const {
  const NodePlacement& node = placement_.nodes[static_cast<std::size_t>(node_rank)];
  AgentTask agent;
  agent.build_id = build_id();
  agent.node = node.node.name;
  agent.node_rank = node_rank;
  agent.task = task_;
  agent.env = cluster_.nccl_env;
  for (const auto& [name, value] : cluster_.env) agent.env[name] = value;
  // A tree or NVLink SHARP between two nodes hides a NIC that has lost a third: in a ring the slowest shows.
  if (task_.phase == plan::Phase::kLocate) agent.env["NCCL_ALGO"] = "Ring";
  agent.gpus = node.gpus;
  agent.data_dir = data_dir_of(cluster_);
  agent.sample_interval_ns = settings_.sample_interval_ns;
  agent.timeouts = cluster_.timeouts;
  const int first_rank = placement_.world(node_rank);
  for (int local = 0; local < node.ranks; ++local) {
    plan::RankTask rank;
    rank.task = task_;
    rank.node = node.node.name;
    rank.rank = first_rank + local;
    rank.world = ranks_.world;
    rank.local_rank = local;
    rank.local_world = node.ranks;
    rank.node_rank = node_rank;
    rank.ranks_per_node = ranks_.per_node;
    rank.cuda = placement_.facts.cuda;
    rank.gpu = placement_.facts.cuda ? node.gpus[static_cast<std::size_t>(local)] : -1;
    rank.rendezvous_host = host_;
    rank.rendezvous_port = port_;
    rank.token = token_;
    rank.save_dir = settings_.save_dir;
    rank.checkpoint_dir = checkpoint_dir(task_, settings_.run_id);
    rank.recorded_steps = settings_.recorded_steps;
    rank.memory_bytes = ranks_.memory_bytes;
    rank.peak_tflops = placement_.peak_tflops;
    rank.cpu_threads = placement_.cpu_threads;
    rank.fabric = cluster_.network.fabric;
    rank.mixed_gpus = cluster_.gpu.mixed;
    agent.ranks.push_back(std::move(rank));
  }
  return agent;
}

Result<int> free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  socklen_t size = sizeof address;
  const bool ok = fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  const int code = errno;
  if (fd >= 0) ::close(fd);
  if (!ok) {
    return Error{fmt::format("no free port for the rendezvous: {}", std::strerror(code)), "",
                 "set rendezvous.port in the cluster config", ExitCode::kEnvironment};
  }
  return static_cast<int>(ntohs(address.sin_port));
}

}  // namespace sxb::launch
