// What the user says of a cluster: nodes, how to reach them, what the fabric promises, the goals.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "config/cluster/node_set.h"

namespace sxb::config {

enum class TransportKind { kAuto, kLocal, kSsh, kPdsh, kSlurm, kDryRun };
enum class DeviceKind { kAuto, kCpu, kCuda };

struct Node {
  std::string name;       ///< unique, used in records
  std::string host;       ///< for the transport; default: name, or "localhost" if it is local
  std::vector<int> gpus;  ///< GPU indices this node owns; empty = all that are found (kCuda/kAuto)
  int slots = 0;          ///< ranks when the device is the CPU; 0 = choose
  int ssh_port = 0;       ///< 0 = ssh's own default
  std::string ssh_user;
  std::string ssh_key;   ///< path of an identity file
  std::string ssh_jump;  ///< jump host
};

/// One NIC (rail) that every node has.
struct Nic {
  std::string name;  ///< "mlx5_0", "eth0"
  double line_rate_gbps = 0;
};

struct Network {
  std::string fabric;     ///< "spectrum-x", "ethernet", "infiniband", "none" (one machine)
  std::vector<Nic> nics;  ///< empty: unknown; then no line-rate verdict is given
  int mtu = 0;
  double line_rate_gbps() const;  ///< sum over the NICs of one node
};

/// Facts of the GPU type as the config states them; the hardware table fills what is missing.
struct GpuFacts {
  std::string name;       ///< "NVIDIA H200"; empty: ask the device
  int per_node = 0;       ///< 0: ask the device
  double memory_gib = 0;  ///< 0: ask the device or the hardware table
  bool mixed = false;     ///< nodes may have GPUs of different types; else a task on such is an error
};

/// Thresholds of the verdict table. Absent = not judged.
struct Goals {
  std::optional<double> gpu_utilization_pct;     ///< >= , coarse NVML use
  std::map<int, double> scaling_efficiency_pct;  ///< node count -> >=
  std::optional<double> bandwidth_pct_of_line;   ///< >= , NCCL wire rate against the line rate
  std::optional<double> busbw_gBps;              ///< >= , all_reduce at the largest size
  std::optional<double> intra_node_busbw_gBps;   ///< >= , the same within every node alone
};

/// For all nodes; a node's own ssh_port, ssh_user, ssh_key and ssh_jump come on top of ssh's own config.
struct Ssh {
  std::string config;   ///< ssh_config file (ssh -F); empty: the user's
  int keepalive_s = 5;  ///< a connection is dead after three times this without an answer
  int persist_s = 60;   ///< how long an idle connection is kept for the next task; 0 = one per command
};

/// For the transport slurm.
struct Slurm {
  std::string partition, account, qos, reservation;  ///< of the allocation; empty: Slurm's default
  std::string time;                                  ///< limit of the allocation, as salloc --time takes it
  std::string container_image;                       ///< Enroot/Pyxis: srun --container-image
  std::vector<std::string> container_mounts;         ///< "SRC:DST[:FLAGS]", srun --container-mounts
  std::vector<std::string> salloc_options;           ///< passed on as they are, each one argument
  std::vector<std::string> srun_options;
};

/// How long sxbench waits before it calls something lost, in seconds. docs/failures.md says which
/// fault each one bounds.
struct Timeouts {
  int connect_s = 15;        ///< connection to a node
  int agent_silence_s = 30;  ///< no line from a node, not even the heartbeat that its agent sends a second
  int rank_silence_s = 20;   ///< no line from a rank, not even the heartbeat that it sends a second
  int stall_s = 900;         ///< no record of progress from any rank of a task
  int queue_s = 3600;        ///< Slurm's allocation
  int stop_s = 5;            ///< from asking a process to end to ending it by force
  int evidence_s = 5;        ///< for asking NCCL RAS what hanging ranks do
};

struct Paths {
  std::string program;  ///< sxbench on the nodes; empty: where it is on this machine
  std::string results;  ///< where run folders go; default "results"
  std::string data;     ///< node-local folder of prepared datasets; empty: cache_dir()/datasets of the head,
                        ///< or each node's own if that is no place of a home
  std::string file_mode;  ///< of a run's files, octal: "0660"; empty: 0640, or less where the umask says so
};

enum class AddressFamily { kAny, kIpv4, kIpv6 };

/// Where the ranks of a task find each other: on its first node ("node 0").
struct Rendezvous {
  std::string host;       ///< address of node 0 as the others see it; empty: node 0's host
  std::string interface;  ///< instead of a host: node 0's address on this interface
  AddressFamily family = AddressFamily::kAny;
  int port = 0;  ///< 0 = a free port chosen per task
};

struct Cluster {
  std::string name;
  std::string description;
  TransportKind transport = TransportKind::kAuto;
  DeviceKind device = DeviceKind::kAuto;
  std::vector<Node> nodes;
  Network network;
  GpuFacts gpu;
  std::string nccl_profile;                     ///< name in configs/nccl/, or empty
  std::map<std::string, std::string> nccl_env;  ///< for ranks only; resolve_cluster() adds the profile
  std::map<std::string, std::string> env;       ///< other variables for the ranks
  Goals goals;
  Paths paths;
  Rendezvous rendezvous;
  int fanout = 64;  ///< connections that are being set up at a time
  NodeGroups groups;
  Ssh ssh;
  Slurm slurm;
  Timeouts timeouts;
  std::string source;  ///< file it was read from, "builtin" or "slurm"
};

/// Reads and validates; reports every error at once with file, JSON pointer and remedy. Pure: the
/// NCCL profile is not looked up, so an old run's cluster reads the same on any machine.
Result<Cluster> parse_cluster(const Json& json, const std::string& where);
/// Complete: parse_cluster(to_json(c)) equals c, but for `source` and the values of secrets in env and
/// nccl_env, which are kRedacted. They reach the nodes in AgentTask::env alone.
Json to_json(const Cluster& cluster);
/// The cluster as to_json() shows it.
Cluster redacted(Cluster cluster);

/// Names of the variables whose values a journal has not kept.
std::vector<std::string> lost_secrets(const Cluster& cluster);
/// Puts those values into a cluster that came from a journal, from the config at `source`, which has to name
/// the same program, nodes and other variables. An error says what does not fit, and what to do.
Status restore_secrets(Cluster& cluster, const std::string& source);

/// The umask of a process that writes a run's files for this cluster, where `user` is its umask otherwise.
/// Folders have the right to enter where their files may be read.
unsigned run_umask(const Cluster& cluster, unsigned user);

/// A hostfile of DeepSpeed, an MPI or a scheduler: see docs/clusters.md. Reached by ssh.
Result<Cluster> load_hostfile(const std::string& path);

Result<Timeouts> parse_timeouts(const Json& json, const std::string& where);
Json to_json(const Timeouts& timeouts);

/// Takes the node set `exclude` out of the cluster, and `spares` too, which it returns: nodes that
/// work only when another one fails. `exclude` wins over `spares`. Errors: a node that the cluster
/// does not have, no node left.
Result<std::vector<Node>> set_aside_nodes(Cluster& cluster, const std::string& exclude,
                                          const std::string& spares);

/// A cluster with the document that it was read from: what that says is not a default.
struct LoadedCluster {
  Cluster cluster;
  Json file;  ///< an empty object for the built-in cluster and for Slurm's allocation
};

/// Finds the cluster: `argument` (path or shipped name) > $SXBENCH_CLUSTER > ./cluster.json >
/// user_config_dir()/cluster.json > Slurm allocation > this machine as one node. Reads each file once.
/// Merges the NCCL profile under the file's own nccl_env. In a Slurm allocation the group "slurm" is its
/// nodes, and the transport "auto" of a cluster that lies within it is slurm.
Result<LoadedCluster> load_cluster(const std::string& argument);
/// The cluster alone.
Result<Cluster> resolve_cluster(const std::string& argument);

/// Where load_cluster() would look, without reading it.
struct ClusterChoice {
  std::string argument;  ///< path or shipped name; empty = Slurm allocation
  enum class From { kArgument, kEnvironment, kWorkingFolder, kUserFolder, kSlurm, kBuiltin };
  From from = From::kBuiltin;
};
ClusterChoice choose_cluster(const std::string& argument);

/// configs/nccl/<name>.json: the variables of a named profile.
Result<std::map<std::string, std::string>> load_nccl_profile(const std::string& name);

/// Names of the shipped clusters, for help and did-you-mean.
std::vector<std::string> shipped_clusters();

std::string to_string(TransportKind kind);
std::string to_string(DeviceKind kind);
std::string to_string(AddressFamily family);
/// The inverse, with did-you-mean; `where` is what errors name.
Result<AddressFamily> parse_family(const std::string& text, const std::string& where);

}  // namespace sxb::config
