#include "engine/rank/peers.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "engine/rank/device_facts.h"

namespace sxb::engine::rank {
namespace {

/// A Peer as plain data, to be exchanged as it is.
struct PeerData {
  std::array<char, 128> node{};
  std::array<char, 128> gpu{};
  std::array<char, 32> net{};
  std::array<char, 8> intra_node{};
  bool gpu_direct = false;
  bool shared_memory = false;
};

bool promises_rdma(const std::string& fabric) {
  return fabric == "infiniband" || fabric == "roce" || fabric == "spectrum-x";
}

/// By the variables with which NCCL is told to leave RDMA alone.
bool sockets_were_chosen() {
  const auto is = [](const char* name, std::string_view value) {
    const char* set = std::getenv(name);
    return set != nullptr && value == set;
  };
  return is("NCCL_IB_DISABLE", "1") || is("NCCL_NET", "Socket") || is("NCCL_NET_PLUGIN", "Socket");
}

std::string name_of(const std::vector<Peer>& peers, std::size_t rank) {
  return "rank " + std::to_string(rank) + " on " + peers[rank].node;
}

/// The first rank for which the predicate holds; the number of ranks if there is none.
template <typename F>
std::size_t first_rank(const std::vector<Peer>& peers, F&& predicate) {
  return static_cast<std::size_t>(std::find_if(peers.begin(), peers.end(), predicate) - peers.begin());
}

record::Finding mixed(const std::string& name, const std::string& gpu, const std::string& first,
                      const std::string& its_gpu) {
  return {"error", "mixed_gpus",
          name + " has an " + gpu + ", " + first + " an " + its_gpu +
              ": the slower kind would decide every figure",
          "choose nodes of one kind (--nodes, --exclude), or allow it with \"gpu\": {\"mixed\": true} in "
          "the cluster config"};
}

void judge_network(const std::vector<Peer>& peers, const std::string& fabric, bool sockets_chosen,
                   std::vector<record::Finding>& findings) {
  if (!promises_rdma(fabric)) return;
  const std::size_t tcp = first_rank(peers, [](const Peer& p) { return p.transports.net == "Socket"; });
  if (tcp < peers.size()) {
    findings.push_back(
        {sockets_chosen ? "warning" : "error", "net_socket",
         "NCCL connects " + name_of(peers, tcp) + " to other nodes by TCP (NET/Socket), but the fabric \"" +
             fabric + "\" promises RDMA",
         sockets_chosen
             ? "NCCL_IB_DISABLE or NCCL_NET asks for it: take that out of the NCCL profile, or set "
               "\"network\": {\"fabric\": \"ethernet\"} in the cluster config"
             : "check on that node: ibv_devinfo shows active ports, NCCL_IB_HCA names them, libibverbs is "
               "installed where the ranks run (container), and /dev/infiniband is there"});
    return;
  }
  const std::size_t copied =
      first_rank(peers, [](const Peer& p) { return !p.transports.net.empty() && !p.transports.gpu_direct; });
  if (copied == peers.size()) return;
  findings.push_back(
      {"warning", "no_gpu_direct",
       "NCCL moves the data of " + name_of(peers, copied) +
           " between nodes through host memory: its connections are not GDRDMA",
       "check that nvidia_peermem is loaded (lsmod) or DMA-BUF works, that GPU and NIC share a "
       "PCIe switch (nvidia-smi topo -m), and NCCL_NET_GDR_LEVEL"});
}

void judge_node(const std::vector<Peer>& peers, std::vector<record::Finding>& findings) {
  const std::size_t copied = first_rank(peers, [](const Peer& p) { return p.transports.shared_memory; });
  if (copied < peers.size()) {
    findings.push_back(
        {"warning", "no_p2p",
         "the GPU of " + name_of(peers, copied) +
             " reaches another GPU of its node only through host memory (NCCL's SHM)",
         "peer access is off: see nvidia-smi topo -p2p r, the ACS setting of PCIe bridges, the IOMMU, "
         "and that NCCL_P2P_DISABLE is not set"});
  }
  const std::size_t pcie = first_rank(peers, [](const Peer& p) {
    const std::string& path = p.transports.intra_node;
    return path == "PIX" || path == "PXB" || path == "PHB" || path == "NODE" || path == "SYS";
  });
  if (pcie == peers.size()) return;
  findings.push_back({"warning", "no_nvlink",
                      "the GPU of " + name_of(peers, pcie) +
                          " has no NVLink to the others of its node (path " +
                          peers[pcie].transports.intra_node + ")",
                      "if it should have: see nvidia-smi topo -m and nvidia-smi nvlink -s, and that "
                      "nvidia-fabricmanager runs"});
}

}  // namespace

std::vector<record::Finding> judge_peers(const std::vector<Peer>& peers, const std::string& fabric,
                                         bool sockets_chosen, bool mixed_gpus) {
  std::vector<record::Finding> findings;
  const std::size_t other = first_rank(peers, [&](const Peer& p) { return p.gpu != peers.front().gpu; });
  if (other < peers.size() && !mixed_gpus) {
    findings.push_back(mixed(name_of(peers, other), peers[other].gpu, name_of(peers, 0), peers.front().gpu));
  }
  judge_network(peers, fabric, sockets_chosen, findings);
  judge_node(peers, findings);
  return findings;
}

std::vector<record::Finding> judge_peers(const plan::RankTask& task, const std::vector<Peer>& peers) {
  return judge_peers(peers, task.fabric, sockets_were_chosen(), task.mixed_gpus);
}

void check_same_gpus(const plan::RankTask& task, const std::string& gpu, comm::Rendezvous& rendezvous) {
  constexpr const char* kKey = "gpu of rank 0";
  if (task.mixed_gpus) return;
  if (task.rank == 0) return rendezvous.set(kKey, {gpu.begin(), gpu.end()});
  const std::vector<char> bytes = rendezvous.get(kKey);
  const std::string first(bytes.begin(), bytes.end());
  if (gpu == first) return;
  const record::Finding finding = mixed(rendezvous.peer_name(task.rank), gpu, rendezvous.peer_name(0), first);
  throw EngineError(finding.message, finding.code, finding.help, ExitCode::kEnvironment);
}

void check_peers(const plan::RankTask& task, comm::Communicator& comm, const comm::Transports& mine,
                 const Emitter& emitter) {
  PeerData data;
  comm::put_text(data.node, task.node);
  comm::put_text(data.gpu, gpu_name());
  comm::put_text(data.net, mine.net);
  comm::put_text(data.intra_node, mine.intra_node);
  data.gpu_direct = mine.gpu_direct;
  data.shared_memory = mine.shared_memory;
  std::vector<Peer> peers;
  for (const PeerData& peer : comm::from_every_rank(comm, data)) {
    peers.push_back({peer.node.data(),
                     peer.gpu.data(),
                     {peer.net.data(), peer.gpu_direct, peer.shared_memory, peer.intra_node.data()}});
  }
  for (const record::Finding& finding : judge_peers(task, peers)) {
    if (finding.severity == "error") {
      throw EngineError(finding.message, finding.code, finding.help, ExitCode::kEnvironment);
    }
    if (comm.rank() == 0) emitter.emit(finding);
  }
}

}  // namespace sxb::engine::rank
